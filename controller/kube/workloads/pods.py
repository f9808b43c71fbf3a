"""What the pods of a workload tell of it."""

from collections.abc import Mapping, Sequence

from ..port import Document
from .collector import NAME


def is_collected(pod: Document) -> bool:
    """Whether a collector of ours stands in a pod."""
    beside = (pod.get("spec") or {}).get("initContainers") or ()
    return any(each.get("name") == NAME for each in beside)


def is_primary(pod: Document, labels: Mapping[str, str] | None) -> bool:
    """Whether a pod has the labels of those whose metrics count."""
    return (labels or {}).items() <= (pod["metadata"].get("labels") or {}).items()


def exit_code(pods: Sequence[Document], container: str) -> int | None:
    """Return with which code a container ended that failed; None where no pod tells."""
    for pod in pods:
        for each in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = (each.get("state") or {}).get("terminated") or {}
            if each.get("name") == container and ended.get("exitCode"):
                return int(ended["exitCode"])
    return None


def stands_still(workload: Document, pods: Sequence[Document]) -> bool:
    """Whether nothing of a workload that was told to end runs any more."""
    status = workload.get("status") or {}
    if any((pod.get("status") or {}).get("phase") in {"Pending", "Running"} for pod in pods):
        return False
    if workload.get("kind") in {"TrainJob", "JobSet"}:  # their pods are found by no label of ours
        conditions = status.get("conditions") or ()
        ends = {"Suspended", "Complete", "Failed", "Completed"}
        return any(each["type"] in ends and each["status"] == "True" for each in conditions)
    return not status.get("active")
