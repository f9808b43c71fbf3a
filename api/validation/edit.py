"""What may change in an experiment that exists."""

from ..errors import Fault
from ..experiment import Experiment, ExperimentSpec
from ..policy import ResumePolicy
from .report import FORBIDDEN, Report

EDITABLE = {
    "parallel_trial_count": "parallelTrialCount",
    "max_trial_count": "maxTrialCount",
    "max_failed_trial_count": "maxFailedTrialCount",
    "suspend": "suspend",
    "trial_policy": "trialPolicy",
    "max_duration": "maxDuration",
    "stop_when": "stopWhen",
}
"""Fields of the specification that may change; of the objective its goal may, too."""


def check_edit(
    old: Experiment, new: Experiment, *, trials: int, finished: bool = False, by_budget: bool = True
) -> tuple[Fault, ...]:
    """Return what forbids the change from `old` to `new`.

    `trials` have been started; `finished` says that the experiment has ended,
    `by_budget` that its budget ended it.
    """
    report = Report()
    if old.spec == new.spec:
        return ()
    if finished and (not by_budget or new.spec.resume_policy == ResumePolicy.NEVER):
        report.add(
            "spec.resumePolicy",
            "Experiment can be restarted if it is in succeeded state by reaching max trials and"
            " spec.resumePolicy = LongRunning or spec.resumePolicy = FromVolume, when experiment"
            " is completed",
            "start a new experiment; next time leave resumePolicy out",
        )
    _check_lowered(old.spec, new.spec, trials, report)
    kept, wanted = _without_goal(old.spec), _without_goal(new.spec)
    changed = [
        name
        for name in type(new.spec).model_fields
        if name not in EDITABLE and getattr(kept, name) != getattr(wanted, name)
    ]
    if changed:
        fields = type(new.spec).model_fields
        named = ", ".join(fields[name].alias or name for name in changed)
        report.add(
            "spec",
            f"{named} cannot be changed: only objective.goal, {', '.join(EDITABLE.values())}"
            " are editable",
            "start a new experiment",
            kind=FORBIDDEN,
        )
    return tuple(report.faults)


def _without_goal(spec: ExperimentSpec) -> ExperimentSpec:
    if spec.objective is None:
        return spec
    return spec.model_copy(update={"objective": spec.objective.model_copy(update={"goal": None})})


def _check_lowered(old: ExperimentSpec, new: ExperimentSpec, trials: int, report: Report) -> None:
    most, before = new.max_trial_count, old.max_trial_count
    lowered = most is not None and (before is None or most < before)
    if lowered and most is not None and most < trials:
        report.add(
            "spec.maxTrialCount", "must be greater than status.trials count", f"{trials} or more"
        )
