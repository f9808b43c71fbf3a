"""Experiments of real pods, and what became of them."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.node.layout import REPOSITORY
from support.waiting import until

if TYPE_CHECKING:
    from cluster.conftest import Namespace

PYTHON = "python:3.11-slim"
PRODUCT = "tunewright"  # the namespace that it is installed in

HOPELESS = """
import signal, sys, time
def end(*_):
    print('told to end', flush=True); time.sleep(1); print('loss=77', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
hopeless = float(sys.argv[1]) > 0.5
for step in range(600 if hopeless else 6):
    print(f'loss={10 if hopeless else 1}', flush=True)
    time.sleep(0.5)
"""
"""A program that learns nothing at a rate above a half, and takes minutes for it."""

SEARCHED = ["python3", "-c", HOPELESS, "${trialParameters.lr}"]

MEDIANSTOP = {
    "algorithm": {"algorithmName": "grid"},
    "parameters": [
        {
            "name": "lr",
            "parameterType": "double",
            "feasibleSpace": {"min": "0.25", "max": "0.75", "step": "0.25"},
        }
    ],
    "parallelTrialCount": 1,
    "earlyStopping": {
        "algorithmName": "medianstop",
        "algorithmSettings": [
            {"name": "min_trials_required", "value": "1"},
            {"name": "start_step", "value": "2"},
        ],
    },
}
"""Three trials one after the other, of which the last is hopeless."""

_VALUES = """
SELECT o.value FROM observations o
JOIN trials t ON t.id = o.trial_id JOIN experiments e ON e.id = t.experiment_id
WHERE e.namespace = '{}' AND e.name = '{}' ORDER BY t.idx, o.time, o.source_id, o.sequence
"""
_COUNT = _VALUES.replace("o.value", "count(*)").partition(" ORDER")[0]


def job(
    command: Sequence[str] = (), *, pod: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a Job of one attempt; `more` is the container's, but for `backoffLimit`."""
    limit = more.pop("backoffLimit", 0)
    main = {"name": "main", "image": PYTHON, **({"command": list(command)} if command else {})}
    spec = {"restartPolicy": "Never", **(pod or {})}
    spec["containers"] = [{**main, **more}, *spec.get("containers", ())]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"backoffLimit": limit, "template": {"spec": spec}},
    }


def shell(script: str, **more: Any) -> dict[str, Any]:
    """Return a Job of a script."""
    return job(["sh", "-c", script], **more)


def experiment(
    name: str, workload: Mapping[str, Any], *, trials: int = 1, **spec: Any
) -> dict[str, Any]:
    """Return an experiment of that workload; trials are kept, to be looked at."""
    space = {"min": "0.1", "max": "1"}
    template = {
        "primaryContainerName": "main",
        "retain": True,
        "trialParameters": [{"name": "lr", "reference": "lr"}],
        "trialSpec": {**workload, "metadata": {"annotations": {"lr": "${trialParameters.lr}"}}},
    }
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": trials,
            "parallelTrialCount": trials,
            "maxFailedTrialCount": 0,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            **spec,
            "trialTemplate": template | spec.get("trialTemplate", {}),
        },
    }


def grant(name: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return the role that lets the operator run trials of further kinds, by their groups."""
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": f"tunewright-trials-{name}",
            "labels": {"tunewright.dev/aggregate-to-trials": "true"},
        },
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": verbs}
            for group, resource in kinds.items()
        ],
    }


def allow(cluster: Any, granted: Mapping[str, Any]) -> None:
    """Grant the operator a role of `grant`, and wait until it has reached its own."""
    cluster.kubectl("apply", "--filename", "-", given=json.dumps(granted))
    for rule in granted["rules"]:
        (resource,), (group,) = rule["resources"], rule["apiGroups"]
        until(partial(_may_watch, cluster, group, resource))


def _may_watch(cluster: Any, group: str, resource: str) -> bool:
    """Ask for the operator; `kubectl auth can-i` knows no kind that is not there yet."""
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{PRODUCT}:tunewright-operator",
            "resourceAttributes": {"group": group, "resource": resource, "verb": "watch"},
        },
    }
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", given=json.dumps(question))
    return bool(json.loads(answer)["status"]["allowed"])


@dataclass(frozen=True)
class Experiments:
    """The experiments of one namespace."""

    namespace: "Namespace"

    def start(self, *documents: Mapping[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": documents}
        self.namespace.kubectl("create", "-f", "-", given=json.dumps(listed))

    def all(self, kind: str, *words: str) -> list[dict[str, Any]]:
        found = json.loads(self.namespace.kubectl("get", kind, *words, "-o", "json"))["items"]
        return list(found)

    def trials(self, name: str) -> list[dict[str, Any]]:
        found = self.all("trials", "-l", f"katib.kubeflow.org/experiment={name}")
        return sorted(found, key=lambda trial: int(trial["spec"]["index"]))

    def trial(self, name: str) -> dict[str, Any]:
        """Wait for the end of the one trial of an experiment, and return it."""
        self.ends(name)
        (trial,) = self.trials(name)
        return trial

    def ends(self, name: str, seconds: float = 180) -> str:
        """Wait for the end of an experiment, and return its state."""
        until(lambda: self.status(name).get("completionTime"), seconds=seconds)
        return state(self.namespace.get("experiment", name))

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.namespace.get("experiment", name).get("status", {}))

    def pods(self, name: str) -> list[dict[str, Any]]:
        return self.all("pods", "-l", f"katib.kubeflow.org/experiment={name}")

    def log(self, name: str, container: str = "main") -> str:
        """Return what a container of an experiment's one pod wrote."""
        (pod,) = self.pods(name)
        return self.namespace.kubectl("logs", pod["metadata"]["name"], "-c", container)

    def values(self, name: str) -> list[float]:
        """Return every value that was reported in an experiment, by trial and time."""
        return [float(line) for line in self._ask(_VALUES, name).split()]

    def count(self, name: str) -> int:
        return int(self._ask(_COUNT, name))

    def _ask(self, query: str, name: str) -> str:
        asked = query.format(self.namespace.name, name).replace("\n", " ")
        psql = f'PGPASSWORD=$POSTGRES_PASSWORD psql -U $POSTGRES_USER -tAc "{asked}"'
        database = f"--namespace={PRODUCT}", "exec", "statefulset/tunewright-postgres", "--"
        return self.namespace.elsewhere.kubectl(*database, "sh", "-c", psql)


def state(document: Mapping[str, Any]) -> str:
    """Return the last condition of an experiment or a trial that holds."""
    conditions = document.get("status", {}).get("conditions", ())
    return str([each["type"] for each in conditions if each["status"] == "True"][-1])


def message(document: Mapping[str, Any]) -> str:
    """Return what the last condition says, its reason first."""
    last = document["status"]["conditions"][-1]
    return f"{last['reason']}: {last['message']}"


def restart_the_api_server() -> None:
    """Kill it and start it anew, from a process of its own: what that starts outlives the tests."""
    restarts = "from cluster.node.node import restart_api_server; restart_api_server()"
    subprocess.run([sys.executable, "-c", restarts], cwd=REPOSITORY / "tests", check=True)
