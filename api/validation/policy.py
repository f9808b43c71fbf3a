"""Budget, limits, and what is known before."""

import math
import re
from collections.abc import Mapping

from ..checkpoint import Keep
from ..compile import conditions
from ..compile import parameter as compile_parameter
from ..durations import parse_duration
from ..experiment import ExperimentSpec
from ..identity import ACCOUNT, LONGEST_ACCOUNT
from ..parameter_spec import ParameterSpec
from ..policy import OnLost, ResumePolicy
from ..policy_spec import InitialTrial
from ..problem import PARALLEL_TRIALS
from ..space import Parameter, ParameterKind, SearchSpace
from .report import REQUIRED, Report
from .space import exists

_MOST_TRIALS = 2**31 - 1
"""What a database can number."""


def check_policy(spec: ExperimentSpec, report: Report) -> None:
    _check_budget(spec, report)
    if spec.resume_policy is not None and spec.resume_policy not in set(ResumePolicy):
        known = ", ".join(ResumePolicy)
        report.add("spec.resumePolicy", "invalid ResumePolicyType", f"one of {known}")
    _check_trial_policy(spec, report)
    if spec.repeats is not None and spec.repeats < 1:
        report.add("spec.repeats", "must be greater than 0")
    if spec.seed is not None and not 0 <= spec.seed < 2**63:
        report.add("spec.seed", "must be a whole number from 0 to 2^63 - 1")
    if spec.max_duration is not None:
        _check_duration(spec.max_duration, report)
    report.at_least("spec.ttlSecondsAfterFinished", spec.ttl_seconds_after_finished, 0)
    _check_account(spec.trial_service_account, report)
    _check_stop_when(spec, report)
    for i, warm in enumerate(spec.warm_start_from):
        report.require(f"spec.warmStartFrom[{i}].name", warm.name)
    report.unique(
        "spec.warmStartFrom[{}].name", [w.name for w in spec.warm_start_from], of="the name"
    )
    if spec.checkpoint is not None:
        path = spec.checkpoint.path
        if path is not None and not path.startswith("/"):
            report.add(
                "spec.checkpoint.path", f"{path!r} is not an absolute path", "it starts with /"
            )
        if spec.checkpoint.keep is not None:
            report.one_of("spec.checkpoint.keep", spec.checkpoint.keep, list(Keep))
    for i, initial in enumerate(spec.initial_trials):
        _check_initial(initial, spec, f"spec.initialTrials[{i}]", report)


def _check_budget(spec: ExperimentSpec, report: Report) -> None:
    most, failed, parallel = (
        spec.max_trial_count,
        spec.max_failed_trial_count,
        spec.parallel_trial_count,
    )
    if failed is not None and failed < 0:
        report.add("spec.maxFailedTrialCount", "should not be less than 0")
    if most is not None and most <= 0:
        report.add("spec.maxTrialCount", "must be greater than 0")
    if parallel is not None and parallel <= 0:
        report.add("spec.parallelTrialCount", "must be greater than 0")
    for name, count in (
        ("maxTrialCount", most),
        ("maxFailedTrialCount", failed),
        ("parallelTrialCount", parallel),
    ):
        if count is not None and count > _MOST_TRIALS:
            report.add(f"spec.{name}", f"must be at most {_MOST_TRIALS:,}")
    # What the API server writes as the default is no fault of the file.
    chosen = None if parallel == PARALLEL_TRIALS else parallel
    for name, count in (("maxFailedTrialCount", failed), ("parallelTrialCount", chosen)):
        if most is not None and 0 < most < (count or 0):
            report.add(
                f"spec.{name}",
                "should be less than or equal to spec.maxTrialCount",
                f"at most {most}",
            )


def _check_trial_policy(spec: ExperimentSpec, report: Report) -> None:
    policy, path = spec.trial_policy, "spec.trialPolicy"
    if policy is None:
        return
    report.at_least(f"{path}.retries", policy.retries, 0)
    report.at_least(f"{path}.backoffSeconds", policy.backoff_seconds, 0)
    for name, value in (
        ("activeDeadlineSeconds", policy.active_deadline_seconds),
        ("pendingDeadlineSeconds", policy.pending_deadline_seconds),
    ):
        if value is not None and not (math.isfinite(value) and value > 0):
            report.add(f"{path}.{name}", "must be greater than 0", "seconds")
    if policy.on_lost is not None:
        report.one_of(f"{path}.onLost", policy.on_lost, list(OnLost))


def _check_duration(written: float | str, report: Report) -> None:
    try:
        positive = parse_duration(written) > 0
    except ValueError as error:
        report.add("spec.maxDuration", str(error))
        return
    if not positive:
        report.add("spec.maxDuration", "must be greater than 0", "90, 90s, 1h30m")


def _check_account(name: str | None, report: Report) -> None:
    if name is None:
        return
    if len(name) > LONGEST_ACCOUNT or not re.fullmatch(ACCOUNT, name):
        report.add(
            "spec.trialServiceAccount",
            f"{name!r} is not the name of a service account",
            "lower-case letters, digits, - and ., as in `kubectl get serviceaccounts`",
        )


def _check_stop_when(spec: ExperimentSpec, report: Report) -> None:
    stop = spec.stop_when
    if stop is None:
        return
    path = "spec.stopWhen.noImprovement"
    if not report.require(path, stop.no_improvement) or stop.no_improvement is None:
        return
    trials = stop.no_improvement.trials
    if trials is None:
        report.add(f"{path}.trials", "must be specified", kind=REQUIRED)
    elif trials < 1:
        report.add(f"{path}.trials", "must be greater than 0")
    report.at_least(f"{path}.minDelta", stop.no_improvement.min_delta, 0)


def _active(spec: ExperimentSpec, assignments: Mapping[str, str]) -> frozenset[str]:
    """Return the parameters that a point of these values has."""
    names = (Parameter(each.name, ParameterKind.CATEGORICAL) for each in spec.parameters)
    return SearchSpace(tuple(names), conditions(spec)).active(assignments)


def _check_value(text: str, parameter: ParameterSpec, path: str, report: Report) -> None:
    """Check a value. A parameter that is itself at fault is reported where it stands."""
    try:
        dimension = compile_parameter(parameter)
    except (ValueError, ArithmeticError):
        return
    try:
        dimension.parse(text)
    except ValueError as error:
        report.add(path, str(error), f"a value of {dimension.describe()}")
    except ArithmeticError:
        return


def _check_initial(initial: InitialTrial, spec: ExperimentSpec, path: str, report: Report) -> None:
    if not report.require(f"{path}.assignments", initial.assignments):
        return
    assignments = initial.assignments or {}
    known = {parameter.name: parameter for parameter in spec.parameters}
    for name, text in assignments.items():
        where = f"{path}.assignments.{name}"
        if not exists(name, known, where, report):
            continue
        _check_value(text, known[name], where, report)
    active = _active(spec, assignments)
    for name in known.keys() - assignments.keys():
        if name in active:
            report.add(f"{path}.assignments", f"has no value for {name}", kind=REQUIRED)
    for name in (assignments.keys() & known.keys()) - active:
        where = f"{path}.assignments.{name}"
        report.add(where, f"{name} is not part of this point", "spec.parameterConditions says when")
    metric = spec.objective.objective_metric_name if spec.objective else ""
    if initial.observation is not None and metric and metric not in initial.observation:
        report.add(f"{path}.observation", f"has no value of the objective, {metric}", kind=REQUIRED)
    for name, value in (initial.observation or {}).items():
        if not math.isfinite(value):
            report.add(f"{path}.observation.{name}", f"{value} is not a finite number")
