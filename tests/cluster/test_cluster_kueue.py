"""Trials in a queue, under the real Kueue: it suspends them, and lets them run when there is room.

What is queued is run by whom users have for it: Jobs by Kubernetes, a PyTorchJob and a TrainJob
by the real training-operator and Trainer.
"""

import json
from dataclasses import dataclass

import pytest
from cluster.experiments import Experiments, experiment, message, shell, state
from cluster.training import runtime, train_job, training_job
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

QUEUE = "team"
AWAITED = f"Queued: Trial waits for Kueue to admit it: queue {QUEUE}"
NO_ROOM = "insufficient quota for pods"


@dataclass(frozen=True)
class Queue:
    """A queue of one namespace, and the quota behind it."""

    experiments: Experiments

    def make(self, pods: int) -> None:
        name = self.experiments.namespace.name
        covered = {"cpu": "64", "memory": "64Gi", "pods": str(pods)}
        for kind, named, spec in (
            ("ResourceFlavor", name, {}),
            ("ClusterQueue", name, self._quota(covered)),
            ("LocalQueue", QUEUE, {"clusterQueue": name}),
        ):
            self._create(kind, named, spec)

    def admits(self, pods: int) -> None:
        """Have room for so many pods from now on."""
        place = "/spec/resourceGroups/0/flavors/0/resources/2/nominalQuota"
        change = [{"op": "replace", "path": place, "value": str(pods)}]
        name = self.experiments.namespace.name
        words = ("patch", "clusterqueue", name, "--type=json", "-p", json.dumps(change))
        self.experiments.namespace.elsewhere.kubectl(*words)

    def start(self, document) -> None:
        """Start an experiment whose trials are put into the queue."""
        metadata = document["spec"]["trialTemplate"]["trialSpec"]["metadata"]
        metadata["labels"] = {"kueue.x-k8s.io/queue-name": QUEUE}
        self.experiments.start(document)

    def remove(self) -> None:
        name = self.experiments.namespace.name
        for kind in ("clusterqueue", "resourceflavor"):
            words = ("delete", kind, name, "--ignore-not-found", "--wait=false")
            self.experiments.namespace.elsewhere.kubectl(*words)

    def _quota(self, covered):
        resources = [{"name": name, "nominalQuota": much} for name, much in covered.items()]
        flavor = {"name": self.experiments.namespace.name, "resources": resources}
        group = {"coveredResources": list(covered), "flavors": [flavor]}
        return {"namespaceSelector": {}, "resourceGroups": [group]}

    def _create(self, kind, name, spec) -> None:
        """Create it as soon as Kueue, which is asked about it, answers."""
        document = {
            "apiVersion": "kueue.x-k8s.io/v1beta1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        given = json.dumps(document)
        there = self.experiments.namespace
        until(lambda: there.tried("apply", "-f", "-", given=given).returncode == 0, seconds=60)


@pytest.fixture
def queue(kueue, experiments):
    made = Queue(experiments)
    yield made
    made.remove()


def awaits(experiments, name: str) -> bool:
    """Whether the one trial of an experiment says that it is not admitted, and why."""
    said = (
        f"{condition['reason']}: {condition['message']}"
        for trial in experiments.trials(name)
        for condition in trial.get("status", {}).get("conditions", ())
    )
    return any(each.startswith(AWAITED) and NO_ROOM in each for each in said)


def waits_and_is_admitted(queue, document, kind: str) -> None:
    """Run an experiment that finds no room, and gets some."""
    name, experiments = document["metadata"]["name"], queue.experiments
    queue.make(pods=0)
    queue.start(document)
    until(lambda: awaits(experiments, name), seconds=90)
    (workload,) = experiments.all(kind)
    assert {**workload["spec"], **workload["spec"].get("runPolicy", {})}["suspend"] is True

    queue.admits(pods=2)  # the PyTorchJob has a worker besides

    trial = experiments.trial(name)
    assert state(trial) == "Succeeded", message(trial)
    assert experiments.values(name) == [0.5]


def test_a_job_that_is_not_admitted_says_so_and_runs_when_there_is_room(queue):
    document = experiment("queued", shell("echo loss=0.5; sleep 1"))
    waits_and_is_admitted(queue, document, "job")


RUN = {
    "pytorch": training_job("PyTorchJob"),
    "node": train_job(["sh", "-c", "echo loss=0.5; sleep 1"]),
}


@pytest.mark.parametrize("container", RUN)
def test_what_an_operator_runs_waits_in_the_queue_as_a_job_does(
    kubeflow_operators, queue, container
):
    queue.experiments.namespace.create(**runtime())
    template = {"trialTemplate": {"primaryContainerName": container}}
    document = experiment("queued", RUN[container], **template)
    waits_and_is_admitted(queue, document, RUN[container]["kind"].lower())


def test_no_more_trials_run_than_are_admitted(queue):
    queue.make(pods=1)
    queue.start(experiment("search", shell("echo loss=1; sleep 3"), trials=3))
    most, said = 0, set()

    def ended() -> bool:
        nonlocal most
        phases = [pod["status"].get("phase") for pod in queue.experiments.pods("search")]
        most = max(most, len([each for each in phases if each in {"Pending", "Running"}]))
        said.update(
            condition["reason"]
            for trial in queue.experiments.trials("search")
            for condition in trial.get("status", {}).get("conditions", ())
        )
        return bool(queue.experiments.status("search").get("completionTime"))

    until(ended, seconds=180)
    assert (most, "Queued" in said) == (1, True)
    assert queue.experiments.status("search")["trialsSucceeded"] == 3


def test_a_trial_that_is_not_admitted_in_time_ends_with_what_it_waited_for(queue):
    queue.make(pods=0)
    deadline = {"trialPolicy": {"pendingDeadlineSeconds": 10}}
    queue.start(experiment("late", shell("echo loss=1"), **deadline))

    trial = queue.experiments.trial("late")
    assert state(trial) == "Failed"
    assert message(trial).startswith("PendingDeadlineExceeded")
    assert f"Kueue to admit it: queue {QUEUE}" in message(trial)
    until(lambda: not queue.experiments.all("job"))
