"""Waiting for what was applied, and why it does not come up."""

import json
from collections.abc import Iterator

from . import kubectl
from .say import ClusterError, step

PATIENCE = 180
"""Seconds that each workload may take to be ready."""


def wait(namespace: str) -> None:
    """Wait until the newest pods of every Deployment and StatefulSet are ready.

    Raises:
        ClusterError: they are not; the message shows their states and last lines.
    """
    there = ("--namespace", namespace)
    for workload in kubectl.run("get", "statefulset,deployment", *there, "-o", "name").split():
        with step(f"waiting for {workload}"):
            told = kubectl.ask("rollout", "status", workload, *there, f"--timeout={PATIENCE}s")
            if not told:
                said = "\n".join(_troubles(namespace))
                raise ClusterError(f"{workload} is not ready:\n{said}")


def _troubles(namespace: str) -> Iterator[str]:
    """Say of each pod that is not ready what it waits for, and what it said last."""
    there = ("--namespace", namespace)
    pods = json.loads(kubectl.run("get", "pods", *there, "-o", "json"))["items"]
    for pod in pods:
        name, status = pod["metadata"]["name"], pod["status"]
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield f"{name}: {condition.get('message')}"
        for container in status.get("containerStatuses", ()):
            if not container["ready"]:
                yield f"{name}: {json.dumps(container['state'])}"
                yield kubectl.ask("logs", name, *there, "--tail=15")
    if not pods:
        yield kubectl.ask("events", *there, "--types=Warning")
