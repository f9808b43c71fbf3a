"""medianstop and percentile: a trial that at its best is worse than most were so far is stopped.

At a trial's report n, its best value until then is compared with a percentile of
the running averages, after n reports, of the trials that succeeded. A trial
that succeeded with fewer than n reports counts with its last average: it says
what could be had. A trial that has shown nothing but NaN is not stopped.
"""

import math
from collections.abc import Callable, Sequence

from ...api.objective import Direction, Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import Setting, number, setting_values
from .curves import Curves

MEDIAN_SETTINGS: tuple[Setting, ...] = (
    number(
        "min_trials_required",
        int,
        "3",
        "> 0",
        message="min_trials_required must be greater than zero (>0)",
        description="succeeded trials before any trial is stopped",
    ),
    number(
        "start_step",
        int,
        "4",
        "≥ 1",
        message="start_step must be greater or equal than one (>=1)",
        description="reports of a trial before it is stopped",
    ),
)

PERCENTILE_SETTINGS = (
    number(
        "percentile",
        float,
        "50",
        "in (0, 100)",
        message="percentile must be between 0 and 100",
        description="the part of the trials, in percent, that are good enough to go on",
    ),
    *MEDIAN_SETTINGS,
)


class Percentile:
    """Evaluates medianstop and percentile for any number of experiments."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._curves = Curves(clock)

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        settings = setting_values(PERCENTILE_SETTINGS, rule.settings)
        late = [report for report in reports if report.reports >= int(settings["start_step"])]
        if not late:
            return ()
        order = self._curves.of(experiment_uid, log)
        share, required = float(settings["percentile"]), int(settings["min_trials_required"])
        stops = (
            _judge(report, order.at(report.reports), objective, share, required, rule.name)
            for report in late
        )
        return [stop for stop in stops if stop is not None]


def _judge(  # noqa: PLR0917  # what one comparison needs
    report: Progress,
    averages: Sequence[float],
    objective: Objective,
    share: float,
    required: int,
    name: str,
) -> Stop | None:
    if len(averages) < required or math.isnan(report.best):
        return None
    minimize = objective.direction is Direction.MINIMIZE
    bound = quantile_of_sorted(averages, share / 100 if minimize else 1 - share / 100)
    if report.best <= bound if minimize else report.best >= bound:
        return None
    what = "median" if share == 50 else f"percentile {share:g}"
    return Stop(
        report.index,
        report.attempt,
        f"{name}: after {report.reports} reports the best {objective.metric.name} is "
        f"{report.best:.6g}, {'above' if minimize else 'below'} the {what} {bound:.6g} of "
        f"{len(averages)} succeeded trials",
    )


def quantile_of_sorted(numbers: Sequence[float], share: float) -> float:
    """Return a quantile of sorted numbers, some of which may be infinite; linear in between."""
    place = share * (len(numbers) - 1)
    low = numbers[math.floor(place)]
    high = numbers[math.ceil(place)]
    part = place - math.floor(place)
    return low if low == high or part == 0 else low + part * (high - low)
