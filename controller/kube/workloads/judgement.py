"""What a workload's document says of it: that it runs, since when, and how it ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....api.gjson import evaluate
from ..port import Document

_RUNNING = 'status.conditions.#(type=="Running")#|#(status=="True")#'


@dataclass(frozen=True, slots=True)
class EndConditions:
    """GJSON paths; what one of them finds says that the workload ended so."""

    success: str
    failure: str


@dataclass(frozen=True, slots=True)
class WorkloadEnd:
    """How a workload ended, with the reason and message that it gives itself."""

    succeeded: bool
    reason: str = ""
    message: str = ""


def judge(workload: Document, conditions: EndConditions) -> WorkloadEnd | None:
    """Say how it ended; None while it has not. Where both conditions are met it failed."""
    for succeeded, path in ((False, conditions.failure), (True, conditions.success)):
        met = evaluate(path, workload)
        if isinstance(met, list):
            met = (met[0] if isinstance(met[0], dict) else {}) if met else None
        if isinstance(met, dict):
            return WorkloadEnd(succeeded, _text(met.get("reason")), _text(met.get("message")))
    return None


def runs(workload: Document, pods: Sequence[Document] = ()) -> bool:
    """Say whether it has begun to run, or did; of kinds that do not tell, their pods do."""
    tells = _RUNS.get(str(workload.get("kind")))
    if tells is not None:
        return tells(_status(workload))
    if workload.get("kind") in _PODS_TELL:
        return any(_ran(_status(pod)) for pod in pods)
    return True


def started_at(workload: Document) -> str | None:
    """Return when it says it started, as it writes it."""
    status = _status(workload)
    at = status.get("startTime") or status.get("startedAt")  # the latter is Argo's
    return at if isinstance(at, str) else None


def _status(document: Document) -> Mapping[str, Any]:
    status = document.get("status")
    return status if isinstance(status, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _job(status: Mapping[str, Any]) -> bool:
    """A pod that waits for a place is active already, and not ready."""
    started = status.get("ready", status.get("active"))
    return bool(started or status.get("succeeded") or status.get("failed"))


def _ran(status: Mapping[str, Any]) -> bool:
    return status.get("phase") in {"Running", "Succeeded", "Failed"}


def _training_job(status: Mapping[str, Any]) -> bool:
    met = evaluate(_RUNNING, {"status": status})
    return isinstance(met, list) and bool(met)  # what is not there yet is no list


_RUNS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "Job": _job,
    "Pod": _ran,
    "TFJob": _training_job,
    "PyTorchJob": _training_job,
    "XGBoostJob": _training_job,
    "MPIJob": _training_job,
}
_PODS_TELL = {"TrainJob", "JobSet", "Workflow", "PipelineRun"}
