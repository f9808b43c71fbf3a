"""`spec.askTell`: people run the trials, so that nothing about workloads has a meaning."""

from ..experiment import ExperimentSpec
from .report import FORBIDDEN, Report

_OF_WORKLOADS = {
    "trialTemplate": "trial_template",
    "earlyStopping": "early_stopping",
    "checkpoint": "checkpoint",
    "maxDuration": "max_duration",
}


def check_ask_tell(written: ExperimentSpec, report: Report) -> None:
    """Check the spec as it was written, without defaults."""
    if written.ask_tell is None:
        return
    for key, name in _OF_WORKLOADS.items():
        if getattr(written, name) is not None:
            report.add(
                f"spec.{key}",
                "has no meaning with spec.askTell: whoever asks runs the trial",
                "remove one of them",
                kind=FORBIDDEN,
            )
    lease = written.ask_tell.lease_seconds
    if lease is not None and not lease > 0:
        report.add("spec.askTell.leaseSeconds", "must be greater than 0", "3600")
