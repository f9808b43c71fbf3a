"""The command line against real pods, with a kubeconfig alone."""

import json

import pytest
from cluster.experiments import restart_the_api_server
from cluster.node.layout import BUSYBOX
from support.command import run, start
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]


def experiment(shell: str, **template) -> str:
    container = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", shell]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"apiVersion": "batch/v1", "kind": "Job"}
    space = {"min": "0.1", "max": "1"}
    document = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "verbs"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": 1,
            "parallelTrialCount": 1,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "trialSpec": {**job, "spec": {"backoffLimit": 0, "template": {"spec": pod}}},
                **template,
            },
        },
    }
    return json.dumps(document)


@pytest.fixture
def typed(product, namespace, tmp_path):
    """Type `tunewright … --cluster` in the test's namespace."""
    there = ("--kubeconfig", str(namespace.kubeconfig), "--namespace", namespace.name)
    return lambda *words: run(tmp_path / "home", *words, *there, cwd=tmp_path, seconds=200)


def test_a_trial_s_log_is_followed_from_before_its_pod_to_its_end(typed, tmp_path):
    program = "echo begun; sleep 3; echo lr=${trialParameters.lr}; echo loss=0.5"
    (tmp_path / "e.json").write_text(experiment(program, retain=True))
    assert typed("run", "e.json", "--detach").returncode == 0
    assert typed("wait", "verbs", "--timeout", "1s").returncode == 1

    followed = typed("logs", "verbs", "0", "--follow")

    assert followed.returncode == 0, followed.stderr
    lines = followed.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("begun", "loss=0.5")
    assert typed("wait", "verbs", "--for", "succeeded", "--timeout", "2m").returncode == 0
    assert typed("logs", "verbs", "best", "--tail", "1").stdout == "loss=0.5\n"
    assert "begun" in typed("best", "verbs", "--command").stdout


def test_a_log_is_followed_past_an_api_server_that_goes_away(
    typed, own_cluster, namespace, tmp_path
):
    lines = [*(f"line {number}" for number in range(1, 41)), "loss=0.5"]
    program = "for n in $(seq 40); do echo line $n; sleep 0.5; done; : ${trialParameters.lr}; "
    program += "echo loss=0.5"
    (tmp_path / "e.json").write_text(experiment(program, retain=True))
    assert typed("run", "e.json", "--detach").returncode == 0
    until(lambda: "line" in typed("logs", "verbs", "0").stdout, seconds=60)

    there = ("--kubeconfig", str(namespace.kubeconfig), "--namespace", namespace.name)
    following = start(tmp_path / "home", "logs", "verbs", "0", "--follow", *there, cwd=tmp_path)
    first = following.stdout.readline()
    restart_the_api_server()
    rest = following.stdout.read()  # `communicate` leaves out what came along with the first line
    said = following.communicate(timeout=60)[1]

    assert following.returncode == 0, said
    assert (first + rest).splitlines() == lines


def test_why_a_trial_does_not_run_is_explained_and_it_is_stopped(typed, tmp_path):
    document = json.loads(experiment("echo loss=${trialParameters.lr}"))
    job = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    job["containers"][0]["resources"] = {"limits": {"cpu": "900"}}
    (tmp_path / "e.json").write_text(json.dumps(document))
    assert typed("run", "e.json", "--detach").returncode == 0
    said = []

    def is_explained():
        said[:] = [typed("explain", "verbs").stdout]
        return "waits for a node" in said[0]

    until(is_explained, seconds=60)
    assert "remedy: free what it requests" in said[0]
    assert typed("stop", "verbs").returncode == 0
    assert typed("wait", "verbs", "--timeout", "1m").returncode == 0
    assert "ExperimentStopped" in typed("describe", "verbs").stdout
