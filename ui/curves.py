"""How a metric went in many trials at once, thinned to what a plot can show."""

from collections.abc import Sequence
from typing import Any

from ..controller.reading import Records
from .table import Row, Table

GREATEST = 200
"""Curves in a plot: half the newest trials, half the best."""
_POINTS = 100
_SAMPLES = 20_000


def curves_of(records: Records, uid: str, table: Table, metric: str) -> list[dict[str, Any]]:
    """Return the curves of the newest and the best trials, in the order of their index."""
    shown = sorted({row.index: row for row in _shown(table)}.items())
    curves = (_curve(records, uid, row, metric) for _, row in shown)
    return [curve for curve in curves if curve["values"]]


def _shown(table: Table) -> Sequence[Row]:
    rows = [row for row in table.rows() if row.started is not None]
    best = [row for row in table.best() if row.started is not None]
    return [*rows[-GREATEST // 2 :], *best[: GREATEST // 2]]


def _curve(records: Records, uid: str, row: Row, metric: str) -> dict[str, Any]:
    samples = list(records.samples(uid, row.index, metric=metric, limit=_SAMPLES))
    kept = thinned(len(samples))
    return {
        "index": row.index,
        "steps": [samples[place].step for place in kept],
        "values": [samples[place].value for place in kept],
    }


def thinned(count: int) -> Sequence[int]:
    """Return at most so many places as a plot shows, evenly spread, first and last among them."""
    if count <= _POINTS:
        return range(count)
    return [round(place * (count - 1) / (_POINTS - 1)) for place in range(_POINTS)]
