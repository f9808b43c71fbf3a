"""What the pods of a workload tell of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....api.moments import read
from ..port import Document, at
from .collector import NAME

OVER = frozenset({"Succeeded", "Failed"})
"""The phases of a pod of which nothing runs any more, or will."""


def is_collected(pod: Document) -> bool:
    """Whether a collector of ours stands in a pod."""
    beside = (pod.get("spec") or {}).get("initContainers") or ()
    return any(each.get("name") == NAME for each in beside)


def is_primary(pod: Document, labels: Mapping[str, str] | None) -> bool:
    """Whether a pod has the labels of those whose metrics count."""
    return (labels or {}).items() <= (pod["metadata"].get("labels") or {}).items()


def has_ended(pod: Document, container: str | None) -> bool:
    """Whether a container, or all where none is named, has ended and is not started again."""
    status = pod.get("status") or {}
    if status.get("phase") in OVER:
        return True
    told = status.get("containerStatuses") or ()
    states = [each.get("state") or {} for each in told if container in {None, each["name"]}]
    policy = (pod.get("spec") or {}).get("restartPolicy")
    return bool(states) and all(_is_final(each.get("terminated"), policy) for each in states)


def _is_final(ended: Mapping[str, Any] | None, policy: str | None) -> bool:
    if ended is None:
        return False
    return policy == "Never" or (policy == "OnFailure" and not ended.get("exitCode"))


def exit_code(pods: Sequence[Document], container: str) -> int | None:
    """Return with which code a container ended that failed; None where no pod tells."""
    codes = (each.get("exitCode") for each in _ends(pods, container))
    return next((int(code) for code in codes if code), None)


def ran_seconds(pods: Sequence[Document], container: str) -> float:
    """Return how long a container ran, in all pods together; 0 where none tells.

    Kubelets tell whole seconds, of which one that was begun counts.
    """
    ends = [
        each for each in _ends(pods, container) if each.get("startedAt") and each.get("finishedAt")
    ]
    if not ends:
        return 0.0
    begun = min(read(each["startedAt"]) for each in ends)
    ended = max(read(each["finishedAt"]) for each in ends)
    return max(1.0, ended - begun)


def _ends(pods: Sequence[Document], container: str) -> Iterator[Mapping[str, Any]]:
    """Yield how a container ended, in each pod in which it has."""
    for pod in pods:
        for each in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = at(each, "state", "terminated")
            if each.get("name") == container and ended:
                yield ended


def stands_still(workload: Document, pods: Sequence[Document]) -> bool:
    """Whether nothing of a workload that was told to end runs any more."""
    if any((pod.get("status") or {}).get("phase") in {"Pending", "Running"} for pod in pods):
        return False
    if workload.get("kind") in {"TrainJob", "JobSet"}:  # their pods are found by no label of ours
        conditions = at(workload, "status", "conditions") or ()
        ends = {"Suspended", "Complete", "Failed", "Completed"}
        return any(each["type"] in ends and each["status"] == "True" for each in conditions)
    return not at(workload, "status", "active")
