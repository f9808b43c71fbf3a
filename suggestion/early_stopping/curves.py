"""What the trials that ended had after so many reports: their running averages, in order.

Averages are kept for some counts of reports only: each up to 64, then every
tenth part more, so that a trial costs some 150 numbers, however long its log is.
A trial is judged by the averages at the last of these counts that it has passed:
what the others had a little earlier, which is no stricter while they improve.
NaN averages count for nothing.
"""

import math
from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from ...api.stopping import CurveLog

REFRESH_SECONDS = 1.0
KEPT_SECONDS = 3600.0
"""How long an experiment is known that reports nothing; most never do again."""


def _counts() -> Iterator[int]:
    count = 1
    while count < 10**9:
        yield count
        count += 1 if count < 64 else count // 10


COUNTS = tuple(_counts())
"""The counts of reports after which averages are kept."""


def means_after(reports: Sequence[int], means: Sequence[float]) -> Mapping[int, float]:
    """Return the averages after these counts of reports, and the last; `means` has one a report."""
    wanted = {*reports, len(means)}
    return {count: means[count - 1] for count in wanted if 1 <= count <= len(means)}


@dataclass(slots=True)
class Order:
    """The running averages of the trials that ended, sorted, for each of `COUNTS`.

    `columns[n]` holds the averages after `COUNTS[n]` reports: of each trial that came so
    far and, where trials are `extended`, of the shorter ones what they had at last.
    `lasts` holds the last averages of all: what a column that is new starts from.
    """

    extended: bool = True
    columns: "list[array[float]]" = field(default_factory=list)
    lasts: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, means: Mapping[int, float]) -> None:
        """Take in a trial, by what it had after counts of reports."""
        if not means:
            return
        longest = max(means)
        reached = bisect_right(COUNTS, longest)
        while len(self.columns) < reached:
            self.columns.append(self.lasts[:])
        columns = self.columns if self.extended else self.columns[:reached]
        for count, column in zip(COUNTS, columns, strict=False):
            _insert(column, means.get(count, means[longest]))
        if self.extended:
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
    """What was read of one experiment. Two threads that read on would count a trial twice."""

    order: Order
    position: int = 0
    read_at: float = -math.inf
    lock: Lock = field(default_factory=Lock)


class Curves:
    """What is known of any number of experiments; each log is read at most once a second.

    `clock` gives monotonic seconds. `early_stopped`: trials that were stopped count
    too, and all as far as they came. Safe from several threads.
    """

    def __init__(self, clock: Callable[[], float], *, early_stopped: bool = False) -> None:
        self._clock = clock
        self._early_stopped = early_stopped
        self._known: dict[str, _Known] = {}

    def of(self, experiment_uid: str, log: CurveLog) -> Order:
        now = self._clock()
        if experiment_uid not in self._known:
            self._forget(now - KEPT_SECONDS)
        known = self._known.setdefault(experiment_uid, _Known(self._empty()))
        with known.lock:
            if now - known.read_at >= REFRESH_SECONDS:
                self._read_on(experiment_uid, known, log)
                known.read_at = now
            return known.order

    def _read_on(self, experiment_uid: str, known: _Known, log: CurveLog) -> None:
        end, ended = log.ended_since(
            experiment_uid, known.position, early_stopped=self._early_stopped
        )
        try:
            for index in ended:
                known.order.add(log.running_means(experiment_uid, index, COUNTS))
        except BaseException:
            known.order, known.position = self._empty(), 0  # those that came so far would again
            raise
        known.position = end

    def _empty(self) -> Order:
        return Order(extended=not self._early_stopped)

    def _forget(self, before: float) -> None:
        """Forget the experiments that were read before that."""
        for uid, known in [*self._known.items()]:
            if known.read_at < before:
                self._known.pop(uid, None)
