"""Bad days: what runs, what serves, and what is asked for is taken away in the middle."""

import json
import subprocess
import sys

import pytest
from cluster.experiments import (
    PRODUCT,
    experiment,
    job,
    restart_the_api_server,
    shell,
    state,
)
from cluster.node import box
from cluster.node.layout import ETCD
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

LINES = 16
SAYS = f"for n in $(seq {LINES}); do echo loss=$n; sleep 0.5; done"
WAYS = {"sidecar": shell(SAYS), "log": job(args=["sh", "-c", SAYS])}

COMPACTS = f"""
import json, urllib.request
def ask(path, **body):
    asked = urllib.request.Request("{ETCD}/v3/" + path, json.dumps(body).encode())
    return json.load(urllib.request.urlopen(asked))
now = ask("maintenance/status")["header"]["revision"]
ask("kv/compaction", revision=now, physical=True)
"""


def kill(cluster, component: str) -> None:
    """Delete the pods of a part of the product, as a node that fails does."""
    words = ("--selector", f"app.kubernetes.io/component={component}", "--namespace", PRODUCT)
    cluster.kubectl("delete", "pod", *words, "--force", "--grace-period=0")


def crash_the_database(cluster) -> None:
    """End the server without a word. A pod deleted by force might go on beside the next."""
    there = ("--namespace", PRODUCT, "statefulset/tunewright-postgres")
    cluster.kubectl("exec", *there, "--", "sh", "-c", "kill -QUIT 1")


def lose_the_past(cluster) -> None:
    subprocess.run(box.within(sys.executable, "-c", COMPACTS), check=True)
    restart_the_api_server()


@pytest.mark.parametrize(
    "happens",
    [
        lambda cluster: kill(cluster, "operator"),
        lambda cluster: kill(cluster, "metrics"),
        lambda cluster: kill(cluster, "suggestion"),
        crash_the_database,
        lose_the_past,
    ],
    ids=["operator", "metrics", "suggestion", "database", "api-server-and-its-past"],
)
def test_an_experiment_ends_as_if_nothing_had_happened(experiments, cluster, own_cluster, happens):
    experiments.start(
        *(
            experiment(name, workload, trials=2, parallelTrialCount=1)
            for name, workload in WAYS.items()
        )
    )
    until(lambda: all(experiments.count(name) for name in WAYS), seconds=90)

    happens(cluster)

    for name in WAYS:
        assert experiments.ends(name) == "Succeeded"
        assert [state(trial) for trial in experiments.trials(name)] == ["Succeeded"] * 2
        assert len(experiments.pods(name)) == 2
        assert (name, experiments.values(name)) == (name, [*range(1, LINES + 1)] * 2)


@pytest.fixture
def without_metrics(cluster):
    """Take the metrics service away, and bring it back."""
    words = ("--namespace", PRODUCT, "deployment/tunewright-metrics")

    def scale(replicas: int) -> None:
        cluster.kubectl("scale", *words, f"--replicas={replicas}")
        cluster.kubectl("rollout", "status", *words, "--timeout=60s")

    yield scale
    scale(1)


def test_nothing_is_lost_while_the_metrics_service_is_away_even_of_pods_that_end(
    experiments, without_metrics
):
    short = shell(SAYS, pod={"terminationGracePeriodSeconds": 2})
    experiments.start(
        experiment("ended", short), experiment("goes-on", shell("; ".join([SAYS] * 3)))
    )
    until(lambda: all(map(experiments.count, ("ended", "goes-on"))), seconds=90)

    without_metrics(0)
    (pod,) = experiments.pods("ended")
    assert experiments.namespace.ends("pod", pod["metadata"]["name"]) == "Succeeded"
    without_metrics(1)

    assert state(experiments.trial("ended")) == "Succeeded"
    assert experiments.values("ended") == [*range(1, LINES + 1)]
    assert state(experiments.trial("goes-on")) == "Succeeded"
    assert experiments.values("goes-on") == [*range(1, LINES + 1)] * 3


def test_a_collector_that_is_killed_again_and_again_loses_nothing(experiments, own_cluster):
    experiments.start(experiment("search", shell("; ".join([SAYS] * 3))))
    for count in (2, LINES):
        until(lambda count=count: experiments.count("search") >= count, seconds=90)
        (pod,) = experiments.pods("search")
        found = pod["status"]["initContainerStatuses"]
        (collector,) = (each for each in found if each["name"].startswith("metrics-logger"))
        identity = collector["containerID"].removeprefix("containerd://")
        ctr = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", identity)
        subprocess.run(box.within(*ctr), check=True)

    assert state(experiments.trial("search")) == "Succeeded"
    assert experiments.values("search") == [*range(1, LINES + 1)] * 3


def test_a_pod_that_is_deleted_by_hand_is_made_again_and_both_have_reported(experiments):
    experiments.start(experiment("search", shell(f"echo loss=0; {SAYS}", backoffLimit=2)))
    until(lambda: experiments.count("search"), seconds=90)
    (pod,) = experiments.pods("search")

    experiments.namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=1")

    assert state(experiments.trial("search")) == "Succeeded"
    values = experiments.values("search")
    assert (values.count(0), values[-LINES:]) == (2, [*range(1, LINES + 1)])


def test_a_trial_that_is_deleted_by_hand_takes_its_job_along_and_is_killed(experiments):
    workload = shell(SAYS, pod={"terminationGracePeriodSeconds": 1})
    experiments.start(experiment("search", workload, trials=2))
    until(lambda: experiments.status("search").get("trialsRunning") == 2, seconds=90)
    first, second = (trial["metadata"]["name"] for trial in experiments.trials("search"))

    experiments.namespace.kubectl("delete", "trial", first)

    assert experiments.ends("search")
    assert experiments.status("search")["trialsKilled"] == 1
    jobs = {each["metadata"]["name"] for each in experiments.all("jobs")}
    assert first not in jobs
    assert second in jobs


def test_a_namespace_with_running_trials_goes_within_a_minute(experiments):
    namespace = experiments.namespace
    experiments.start(experiment("search", shell("sleep 600"), trials=3))
    until(lambda: experiments.status("search").get("trialsRunning") == 3, seconds=90)

    namespace.elsewhere.kubectl("delete", "namespace", namespace.name, "--timeout=60s")

    left = json.loads(namespace.elsewhere.kubectl("get", "trials", "-A", "-o", "json"))["items"]
    assert namespace.name not in {each["metadata"]["namespace"] for each in left}
