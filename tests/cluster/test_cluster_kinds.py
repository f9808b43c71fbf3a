"""Trials of other kinds than Jobs, with the controllers that users have.

PyTorchJob, TFJob, XGBoostJob, MPIJob and TrainJob run under the real training-operator, Trainer and
JobSet; RayJob has the shape of the real one, and a small actor for its controller.
"""

import json

import pytest
from cluster.experiments import (
    MEDIANSTOP,
    PYTHON,
    SEARCHED,
    allow,
    experiment,
    grant,
    message,
    state,
)
from cluster.training import TRAINING, runtime, train_job, training_job
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]


def of(container, **more):
    return {"trialTemplate": {"primaryContainerName": container, **more}}


FILES = {
    "trainjob-file": ("/var/log/katib/metrics.log", "File"),
    "trainjob-own-file": ("/tmp/metrics.log", "File"),
}
"""TrainJobs that write to a file: in Katib's folder, and in one that the image has."""


def writing(path, kind):
    source = {"fileSystemPath": {"path": path, "kind": "File"}}
    return {"metricsCollectorSpec": {"collector": {"kind": kind}, "source": source}}


@pytest.fixture(scope="module")
def started(mpi, shared):
    """Have an experiment of each kind begin, and one of each way that is to be stopped."""
    shared.namespace.create(**runtime())
    kinds = {kind: (training_job(kind), container) for kind, (*_, container) in TRAINING.items()}
    kinds["TrainJob"] = (train_job(["sh", "-c", "echo loss=0.5; sleep 1"]), "node")
    stopped = (
        ("PyTorchJob", training_job("PyTorchJob", SEARCHED), of("pytorch", retain=False)),
        ("TrainJob", train_job(SEARCHED), of("node", retain=True)),
    )
    shared.start(
        *(experiment(kind.lower(), job, **of(name)) for kind, (job, name) in kinds.items()),
        *(
            experiment(
                name,
                train_job(["sh", "-c", f"echo loss=0.5 >>{path}; echo loss=0.25 >>{path}"]),
                **of("node"),
                **writing(path, kind),
            )
            for name, (path, kind) in FILES.items()
        ),
        *(
            experiment(f"{kind.lower()}-stopped", job, trials=3, **MEDIANSTOP, **template)
            for kind, job, template in stopped
        ),
    )
    return shared


@pytest.mark.parametrize("kind", [*TRAINING, "TrainJob"])
def test_a_trial_of_several_pods_reports_what_the_first_of_them_says(started, kind):
    assert state(started.trial(kind.lower())) == "Succeeded"
    assert started.values(kind.lower()) == [0.5]


def test_the_pod_of_a_train_job_has_the_collector_beside_its_program(started):
    started.ends("trainjob")

    (trial,) = started.trials("trainjob")
    name = trial["metadata"]["name"]
    (pod,) = started.all("pods", "-l", f"jobset.sigs.k8s.io/jobset-name={name}")
    assert [each["name"] for each in pod["spec"]["initContainers"]] == [
        "metrics-logger-and-collector"
    ]
    assert pod["metadata"]["labels"]["katib.kubeflow.org/trial"] == name


def test_a_trial_that_a_webhook_refuses_says_why_and_runs_once_it_may(
    kubeflow_operators, experiments
):
    """Trainer refuses jobs whose runtime is not there."""
    job = train_job(["sh", "-c", "echo loss=0.5"])
    experiments.start(experiment("early", job, **of("node")))
    until(lambda: "RefusedByCluster" in str(experiments.trials("early")), seconds=60)

    said = message(experiments.trials("early")[0])
    experiments.namespace.create(**runtime())

    assert "must be created before the TrainJob is created" in said
    assert state(experiments.trial("early")) == "Succeeded"


@pytest.mark.parametrize("name", FILES)
def test_a_train_job_may_write_its_metrics_to_a_file(started, name):
    assert state(started.trial(name)) == "Succeeded"
    assert started.values(name) == [0.5, 0.25]


def test_no_namespace_is_asked_about_when_its_trials_have_ended(started):
    for name in ("trainjob", "trainjob-stopped", *FILES):
        started.ends(name, seconds=300)

    def meant() -> bool:
        there = started.namespace.elsewhere.get("mutatingwebhookconfiguration", "tunewright-pods")
        return started.namespace.name in json.dumps(
            [each["namespaceSelector"] for each in there["webhooks"]]
        )

    until(lambda: not meant(), seconds=60)


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_a_hopeless_trial_is_stopped_however_many_pods_it_has(started, kind):
    name = f"{kind.lower()}-stopped"
    assert started.ends(name, seconds=300) == "Succeeded"

    *_, last = started.trials(name)
    assert state(last) == "EarlyStopped"
    assert last["status"]["completionTime"]
    assert last["status"]["observation"]["metrics"]


def test_a_train_job_that_was_stopped_stays_where_it_is_retained(started):
    started.ends("trainjob-stopped", seconds=300)

    name = started.trials("trainjob-stopped")[-1]["metadata"]["name"]
    assert started.namespace.get("trainjob", name)["spec"]["suspend"] is True
    until(lambda: not started.all("pods", "-l", f"jobset.sigs.k8s.io/jobset-name={name}"))


# A kind that the operator has never seen, and that is installed while it is waited for.

RAY_JOBS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rayjobs.ray.io"},
    "spec": {
        "group": "ray.io",
        "scope": "Namespaced",
        "names": {"kind": "RayJob", "plural": "rayjobs", "singular": "rayjob"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}

GRANT = grant("ray", {"ray.io": "rayjobs"})


@pytest.fixture
def ray(cluster):
    """Install the kind when it is called, and take it away in the end.

    What was granted stays: the operator goes on asking whether the kind comes back.
    """

    def install():
        allow(cluster, GRANT)
        cluster.create(**RAY_JOBS)

    yield install
    cluster.kubectl("delete", "crd", "rayjobs.ray.io", "--ignore-not-found", "--wait=false")


def act(namespace, jobs) -> None:
    """Do what KubeRay would: the head's pod for each, and its end in the status."""
    for job in jobs:
        name = job["metadata"]["name"]
        pods = json.loads(
            namespace.kubectl("get", "pods", "-o", "json", f"--selector=ray.io/job={name}")
        )["items"]
        if not pods:
            head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
            labels = {**head["metadata"]["labels"], "ray.io/job": name}
            namespace.create(
                apiVersion="v1",
                kind="Pod",
                metadata={"name": f"{name}-head", "labels": labels},
                spec=head["spec"],
            )
        elif pods[0]["status"].get("phase") == "Succeeded":
            ended = {"jobStatus": "SUCCEEDED", "message": "it has ended"}
            patch = json.dumps({"status": ended})
            words = ("patch", "rayjob", name, "--type=merge", "--subresource=status")
            namespace.kubectl(*words, "-p", patch)


def test_a_kind_that_is_installed_later_is_picked_up_and_judged_by_its_conditions(experiments, ray):
    head = {
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {"name": "ray-head", "image": PYTHON, "command": ["sh", "-c", "echo loss=0.5"]}
            ],
        }
    }
    job = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "spec": {"rayClusterSpec": {"headGroupSpec": {"template": head}}},
    }
    conditions = {
        "successCondition": 'status.[@this].#(jobStatus=="SUCCEEDED")#',
        "failureCondition": 'status.[@this].#(jobStatus=="FAILED")#',
    }
    experiments.start(experiment("late", job, **of("ray-head", **conditions)))
    lacking = "the cluster has no namespaced kind RayJob in ray.io/v1"
    until(lambda: lacking in experiments.namespace.kubectl("describe", "experiment", "late"))
    ray()

    def acted() -> bool:
        if experiments.namespace.tried("get", "rayjobs").returncode == 0:
            act(experiments.namespace, experiments.all("rayjobs"))
        return bool(experiments.status("late").get("completionTime"))

    until(acted, seconds=180)
    (trial,) = experiments.trials("late")
    assert state(trial) == "Succeeded"
    assert experiments.values("late") == [0.5]
