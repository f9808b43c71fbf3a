"""medianstop: a trial that is worse at its best than the median of the others so far is stopped.

At a trial's report n, its best value until then is compared with the median of
the running averages, after n reports, of the trials that succeeded. A trial
that succeeded with fewer than n reports counts with its last average: it says
what could be had. NaN averages count for nothing, and a trial that has shown
nothing but NaN is not stopped.

Averages are kept for some counts of reports only: each up to 64, then every
tenth part more, so that a trial costs some 150 numbers, however long its log is.
A trial is judged by the averages at the last of these counts that it has passed:
what the others had a little earlier, which is no stricter while they improve.
"""

import math
from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...api.objective import Direction, Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import number, setting_values

NAME = "medianstop"
REFRESH_SECONDS = 1.0

SETTINGS = (
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


def _counts() -> Iterator[int]:
    count = 1
    while count < 10**9:
        yield count
        count += 1 if count < 64 else count // 10


COUNTS = tuple(_counts())
"""The counts of reports after which averages are kept."""


@dataclass(slots=True)
class _Order:
    """The running averages of the succeeded trials, sorted, for each of `COUNTS`.

    `columns[n]` holds one average of each trial after `COUNTS[n]` reports. `lasts`
    holds the last averages of all trials, sorted: what a count of reports that
    no trial reached would hold. A new column starts as a copy of it.
    """

    columns: "list[array[float]]" = field(default_factory=list)
    lasts: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, means: Mapping[int, float]) -> None:
        """Take in a trial, by what it had after counts of reports."""
        if not means:
            return
        longest = max(means)
        while len(self.columns) < bisect_right(COUNTS, longest):
            self.columns.append(self.lasts[:])
        for count, column in zip(COUNTS, self.columns, strict=False):
            _insert(column, means.get(count, means[longest]))
        _insert(self.lasts, means[longest])

    def at(self, reports: int) -> Sequence[float]:
        """Return the sorted averages after this many reports."""
        place = bisect_right(COUNTS, reports) - 1
        return self.columns[place] if place < len(self.columns) else self.lasts


def _insert(column: "array[float]", mean: float) -> None:
    if not math.isnan(mean):
        insort(column, mean)


@dataclass(slots=True)
class _Known:
    """What was read of one experiment."""

    position: int = 0
    read_at: float = -math.inf
    order: _Order = field(default_factory=_Order)


class MedianStop:
    """Evaluates medianstop for any number of experiments.

    `clock` gives monotonic seconds. What is known of an experiment follows its
    log, which is read at most once a second.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        settings = setting_values(SETTINGS, rule.settings)
        start, required = int(settings["start_step"]), int(settings["min_trials_required"])
        late = [report for report in reports if report.reports >= start]
        if not late:
            return ()
        order = self._order(experiment_uid, log)
        stops = (_judge(report, order.at(report.reports), objective, required) for report in late)
        return [stop for stop in stops if stop is not None]

    def forget(self, experiment_uid: str) -> None:
        """Drop what is known of an experiment that ended."""
        self._known.pop(experiment_uid, None)

    def _order(self, experiment_uid: str, log: CurveLog) -> _Order:
        known = self._known.setdefault(experiment_uid, _Known())
        now = self._clock()
        if now - known.read_at >= REFRESH_SECONDS:
            end, succeeded = log.succeeded_since(experiment_uid, known.position)
            for index in succeeded:
                known.order.add(log.running_means(experiment_uid, index, COUNTS))
            known.position, known.read_at = end, now
        return known.order


def _judge(
    report: Progress, averages: Sequence[float], objective: Objective, required: int
) -> Stop | None:
    if len(averages) < required or math.isnan(report.best):
        return None
    median = median_of_sorted(averages)
    if objective.direction is Direction.MINIMIZE:
        worse, word = report.best > median, "above"
    else:
        worse, word = report.best < median, "below"
    if not worse:
        return None
    reason = (
        f"medianstop: after {report.reports} reports the best {objective.metric.name} is "
        f"{report.best:.6g}, {word} the median {median:.6g} of {len(averages)} succeeded trials"
    )
    return Stop(report.index, report.attempt, reason)


def median_of_sorted(numbers: Sequence[float]) -> float:
    """Return the median of numbers that are sorted; infinite ones are numbers too."""
    middle = len(numbers) // 2
    if len(numbers) % 2:
        return numbers[middle]
    low, high = numbers[middle - 1], numbers[middle]
    return low if low == high else (low + high) / 2
