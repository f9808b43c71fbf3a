"""asha: a trial that is not among the best eta-th at its rung is stopped (Li et al. 2020).

Rungs are counts of reports: `r_min`, and each `eta` times the one before. Between
two rungs nobody is stopped. A trial at a rung is compared, by its running
average, with all that ended, the early-stopped ones among them as far as they came.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from ...api.objective import Direction, Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import number, setting_values
from .curves import Curves

NAME = "asha"
SETTINGS = (
    number(
        "r_min",
        int,
        "1",
        "≥ 1",
        message="r_min must be greater or equal than one (>=1)",
        description="reports of a trial at the first rung",
    ),
    number(
        "eta",
        int,
        "3",
        "≥ 2",
        message="eta must be 2 or more",
        description="one trial of eta goes on from each rung",
    ),
)


class Asha:
    """Evaluates asha for any number of experiments."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._curves = Curves(clock, early_stopped=True)

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        settings = setting_values(SETTINGS, rule.settings)
        first, eta = int(settings["r_min"]), int(settings["eta"])
        at_rungs = [report for report in reports if is_rung(report.reports, first, eta)]
        if not at_rungs:
            return ()
        order = self._curves.of(experiment_uid, log)
        stops = (_judge(report, order.at(report.reports), objective, eta) for report in at_rungs)
        return [stop for stop in stops if stop is not None]


def is_rung(reports: int, first: int, eta: int) -> bool:
    while first < reports:
        first *= eta
    return first == reports


def _judge(
    report: Progress, averages: Sequence[float], objective: Objective, eta: int
) -> Stop | None:
    if math.isnan(report.mean):
        return None
    if objective.direction is Direction.MINIMIZE:
        better = bisect_left(averages, report.mean)
    else:
        better = len(averages) - bisect_right(averages, report.mean)
    among = len(averages) + 1
    if better < max(among // eta, 1):
        return None
    return Stop(
        report.index,
        report.attempt,
        f"asha: after {report.reports} reports the mean {objective.metric.name} {report.mean:.6g} "
        f"is in place {better + 1} of {among}, not among the best {max(among // eta, 1)}",
    )
