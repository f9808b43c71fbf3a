"""asha: a trial that is not among the best eta-th at its rung is stopped (Li et al. 2020).

Rungs are counts of reports: `r_min`, and each `eta` times the one before. Between
two rungs nobody is stopped. A trial at a rung is compared, by its running
average, with all that ended, the early-stopped ones among them as far as they came.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from ...api.objective import Direction
from ...api.stopping import Progress
from ...api.words import counted
from ..settings import number
from .curves import Curves
from .rule import Case, Rule


class Asha(Rule):
    name = "asha"
    description = "lets one trial in eta pass each rung"
    settings = (
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
            description="one trial in eta continues from each rung",
        ),
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._curves = Curves(clock, early_stopped=True)

    def reason(self, report: Progress, case: Case) -> str | None:
        first, eta = int(case.settings["r_min"]), int(case.settings["eta"])
        if not is_rung(report.reports, first, eta) or math.isnan(report.mean):
            return None
        averages = self._curves.of(case.experiment_uid, case.log).at(report.reports)
        if case.objective.direction is Direction.MINIMIZE:
            better = bisect_left(averages, report.mean)
        else:
            better = len(averages) - bisect_right(averages, report.mean)
        among = len(averages) + 1
        passing = max(among // eta, 1)
        if better < passing:
            return None
        return (
            f"after {counted(report.reports, 'report')} the mean {case.objective.metric.name} "
            f"{report.mean:.6g} is in place {better + 1} of {among}, "
            f"not among the best {passing}"
        )


def is_rung(reports: int, first: int, eta: int) -> bool:
    while first < reports:
        first *= eta
    return first == reports
