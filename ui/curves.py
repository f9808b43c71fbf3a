"""How a metric went in many trials at once, thinned to what a plot can show."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any

from ..api.errors import NotFound
from ..api.observation import Sample
from ..controller.reading import Records
from .table import Row, Table

GREATEST = 200
"""Curves in a plot: half the newest trials, half the best."""
_POINTS = 100
_KEPT = 2_000
"""How many curves are held in memory; the one asked for longest ago goes first."""


class Curves:
    """The curves of a place's trials: what was read of one is not read again."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: OrderedDict[tuple[str, int, int, str], _Curve] = OrderedDict()
        self._lock = Lock()

    def of(self, uid: str, table: Table, metric: str) -> list[dict[str, Any]]:
        """Return the curves of the newest and the best trials, in the order of their index."""
        shown = sorted({row.index: row for row in _shown(table)}.items())
        curves = (self._curve(uid, row, metric) for _, row in shown)
        return [curve for curve in curves if curve["values"]]

    def _curve(self, uid: str, row: Row, metric: str) -> dict[str, Any]:
        key = (uid, row.index, row.attempt, metric)
        with self._lock:
            curve = self._known.setdefault(key, _Curve())
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        with curve.lock:
            if not curve.is_whole:
                curve.read_on(self._records, uid, row, metric)
            samples = curve.samples
        steps, values = [each.step for each in samples], [each.value for each in samples]
        return {"index": row.index, "steps": steps, "values": values}


@dataclass(slots=True)
class _Curve:
    """The samples of one metric in one attempt, every `stride`th of them, and the last."""

    lock: Lock = field(default_factory=Lock)
    is_whole: bool = False
    _kept: list[Sample] = field(default_factory=list)
    _last: Sample | None = None
    _stride: int = 1
    _count: int = 0
    _at_once: int = 0  # how many there were at the time of the last

    def read_on(self, records: Records, uid: str, row: Row, metric: str) -> None:
        """Take in what was reported since; after the end of its trial nothing is."""
        since = None if self._last is None else self._last.time
        with suppress(NotFound):  # its resource was deleted: what was read of it is left
            found = records.samples(uid, row.index, metric=metric, since=since)
            for sample in islice(found, self._at_once, None):
                self._add(sample)
        self.is_whole = row.finished is not None

    def _add(self, sample: Sample) -> None:
        is_later = self._last is None or sample.time != self._last.time
        self._at_once = 1 if is_later else self._at_once + 1
        self._last = sample
        if self._count % self._stride == 0:
            self._kept.append(sample)
        self._count += 1
        if len(self._kept) > _POINTS:
            del self._kept[1::2]
            self._stride *= 2

    @property
    def samples(self) -> Sequence[Sample]:
        """What a plot shows of it: evenly spread, first and last among them."""
        if self._last is None or self._last is self._kept[-1]:
            return tuple(self._kept)
        return (*self._kept, self._last)


def _shown(table: Table) -> Sequence[Row]:
    rows = [row for row in table.rows() if row.started is not None]
    best = [row for row in table.best() if row.started is not None]
    return [*rows[-GREATEST // 2 :], *best[: GREATEST // 2]]
