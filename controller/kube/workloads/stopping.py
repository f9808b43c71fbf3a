"""How a workload is stopped: what its kind has for that, or deletion."""

from collections.abc import Mapping

from .. import labels
from ..port import Document

_SUSPENDED = {"spec": {"suspend": True}}
_RUN_SUSPENDED = {"spec": {"runPolicy": {"suspend": True}}}

_STOPS: Mapping[str, Document] = {
    "Job": _SUSPENDED,
    "JobSet": _SUSPENDED,
    "TrainJob": _SUSPENDED,
    "RayJob": _SUSPENDED,
    "TFJob": _RUN_SUSPENDED,
    "PyTorchJob": _RUN_SUSPENDED,
    "XGBoostJob": _RUN_SUSPENDED,
    "MPIJob": _RUN_SUSPENDED,
    "PaddleJob": _RUN_SUSPENDED,
    "Workflow": {"spec": {"shutdown": "Stop"}},  # suspended, Argo's lets running pods go on
    "PipelineRun": {"spec": {"status": "Cancelled"}},
    "TaskRun": {"spec": {"status": "TaskRunCancelled"}},
}
"""Kinds that end their pods and stay, by the merge patch that tells them."""


def stop_patch(workload: Document, *, retain: bool) -> Document | None:
    """Return the merge patch that stops it and keeps it; None: it is to be deleted.

    What Kueue manages it would start again, so that is deleted.
    """
    written = (workload.get("metadata") or {}).get("labels") or {}
    if not retain or labels.QUEUE in written:
        return None
    return _STOPS.get(str(workload.get("kind")))
