"""Workloads that stay until their end was seen, whatever their template says."""

from typing import Any

_AFTER = "ttlSecondsAfterFinished"
_KINDS = {
    *("Job", "JobSet", "RayJob"),
    *("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob", "PaddleJob"),
}
"""Kinds that go by themselves some seconds after their end: in `spec` it says so, or in its
`runPolicy`."""


def keep_until_seen(workload: dict[str, Any]) -> None:
    """Take away when it would go; whoever sees its end deletes it.

    One that goes while no operator looks would be taken for lost, and run again.
    """
    spec = workload.get("spec")
    if workload.get("kind") not in _KINDS or not isinstance(spec, dict):
        return
    spec.pop(_AFTER, None)
    policy = spec.get("runPolicy")
    if isinstance(policy, dict):
        policy.pop(_AFTER, None)
