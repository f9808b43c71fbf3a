"""threshold: a trial whose objective is worse than a bound is stopped; on wish, one that is NaN."""

import math
from collections.abc import Callable, Mapping, Sequence

from ...api.objective import Direction, Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import Setting, number, one_of, setting_values

NAME = "threshold"
SETTINGS = (
    Setting("bound", float, "", "a number", description="the worst objective that may go on"),
    number(
        "start_step",
        int,
        "1",
        "≥ 1",
        message="start_step must be greater or equal than one (>=1)",
        description="reports of a trial before it is stopped",
    ),
    one_of(
        "stop_on_nan",
        ["false", "true"],
        where=NAME,
        description="whether a trial that reports NaN is stopped, at any step",
    ),
)


def complaint(settings: Mapping[str, str]) -> str:
    """Say what is missing: a rule that could stop nothing is a slip."""
    says_something = settings.get("bound") or settings.get("stop_on_nan") == "true"
    return "" if says_something else "threshold needs a bound, or stop_on_nan: true"


class Threshold:
    """Evaluates threshold: a report says all that it needs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        del clock

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        del experiment_uid, log
        settings = setting_values(SETTINGS, rule.settings)
        bound = float(settings["bound"]) if "bound" in settings else None
        start, nan_stops = int(settings["start_step"]), settings["stop_on_nan"] == "true"
        stops = (
            _nan(report, objective)
            if math.isnan(report.value)
            else _worse(report, objective, bound if report.reports >= start else None)
            for report in reports
            if nan_stops or not math.isnan(report.value)
        )
        return [stop for stop in stops if stop is not None]


def _nan(report: Progress, objective: Objective) -> Stop:
    reason = f"threshold: {objective.metric.name} is NaN at report {report.reports}"
    return Stop(report.index, report.attempt, reason)


def _worse(report: Progress, objective: Objective, bound: float | None) -> Stop | None:
    minimize = objective.direction is Direction.MINIMIZE
    if bound is None or (report.value <= bound if minimize else report.value >= bound):
        return None
    return Stop(
        report.index,
        report.attempt,
        f"threshold: {objective.metric.name} {report.value:.6g} at report {report.reports} is "
        f"{'above' if minimize else 'below'} {bound:g}",
    )
