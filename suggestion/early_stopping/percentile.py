"""medianstop and percentile: a trial that at its best is worse than most were so far is stopped.

At a trial's report n, its best value until then is compared with a percentile of
the running averages, after n reports, of the trials that succeeded. A trial
that succeeded with fewer than n reports counts with its last average: it says
what could be had. A trial that has shown nothing but NaN is not stopped.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...api.objective import Direction
from ...api.stopping import Progress
from ...api.words import counted
from ..settings import Setting, number
from .curves import Curves
from .rule import Case, Rule, start_step


@dataclass(frozen=True, slots=True)
class Bound:
    """The worst value that may go on, and how many trials say so."""

    value: float
    trials: int


class MedianStop(Rule):
    name = "medianstop"
    description = "stops trials that are worse than the median"
    settings: ClassVar[tuple[Setting, ...]] = (
        number(
            "min_trials_required",
            int,
            "3",
            "> 0",
            message="min_trials_required must be greater than zero (>0)",
            description="succeeded trials before any trial is stopped",
        ),
        start_step("4"),
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._curves = Curves(clock)

    def reason(self, report: Progress, case: Case) -> str | None:
        if report.reports < int(case.settings["start_step"]) or math.isnan(report.best):
            return None
        bound = self.bound(report.reports, case)
        if bound is None:
            return None
        minimize = case.objective.direction is Direction.MINIMIZE
        if report.best <= bound.value if minimize else report.best >= bound.value:
            return None
        share = _share(case)
        return (
            f"after {counted(report.reports, 'report')} the best {case.objective.metric.name} is "
            f"{report.best:.6g}, {'above' if minimize else 'below'} the "
            f"{'median' if share == 50 else f'percentile {share:g}'} {bound.value:.6g} of "
            f"{counted(bound.trials, 'succeeded trial')}"
        )

    def bound(self, reports: int, case: Case) -> Bound | None:
        """Return the worst that may go on after so many reports; None while nothing tells."""
        averages = self._curves.of(case.experiment_uid, case.log).at(reports)
        if len(averages) < int(case.settings["min_trials_required"]):
            return None
        part = _share(case) / 100
        minimize = case.objective.direction is Direction.MINIMIZE
        value = quantile_of_sorted(averages, part if minimize else 1 - part)
        return None if math.isnan(value) else Bound(value, len(averages))


class Percentile(MedianStop):
    name = "percentile"
    description = "stops trials that are worse than a percentile"
    settings = (
        number(
            "percentile",
            float,
            "50",
            "in (0, 100)",
            message="percentile must be between 0 and 100",
            description="the percentage of the trials that are good enough to continue",
        ),
        *MedianStop.settings,
    )


def _share(case: Case) -> float:
    """Return the part of the trials, in percent, that are good enough."""
    return float(case.settings.get("percentile", 50))


def quantile_of_sorted(numbers: Sequence[float], share: float) -> float:
    """Return a quantile of sorted numbers, linear between two of them.

    Between a finite number and an infinite one that is the infinite one, between both
    infinite ones NaN.
    """
    place = share * (len(numbers) - 1)
    low = numbers[math.floor(place)]
    high = numbers[math.ceil(place)]
    part = place - math.floor(place)
    return low if low == high else (1 - part) * low + part * high
