"""Points as rows of numbers: what is near in a row is alike.

A numeric or discrete parameter is a column, its quantile in [0, 1]. A categorical one is a
column for each entry, of which one is hot: any two entries are as far apart as the ends of a
numeric parameter. A parameter with one value has no column.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....api.space import Point, Value
from ...cube import Axis, Cube
from .fit import Columns
from .kernel import Array, Places

_HOT = 1.0 / np.sqrt(2.0)
_COARSE = 24
"""Parameters of so many levels or fewer are searched level by level, others as if continuous."""


@dataclass(frozen=True)
class _Block:
    """The columns `first` … `last` - 1 of one parameter.

    `levels` has a row for each value of a parameter that is searched by levels; None otherwise.
    """

    axis: Axis
    first: int
    last: int
    levels: Array | None

    def nearest(self, rows: Array) -> Places:
        """Return the number of the level that is nearest to each row."""
        assert self.levels is not None
        part = rows[:, self.first : self.last]
        found: Places = ((part[:, None, :] - self.levels[None]) ** 2).sum(axis=2).argmin(axis=1)
        return found


class Encoding:
    """The rows of a search space."""

    def __init__(self, cube: Cube) -> None:
        self.cube = cube
        self.blocks: list[_Block] = []
        width = 0
        for axis in cube.axes:
            if axis.levels != 1:
                levels = _levels(axis)
                last = width + (1 if levels is None else levels.shape[1])
                self.blocks.append(_Block(axis, width, last, levels))
                width = last
        self.width = width
        owners = [place for place, b in enumerate(self.blocks) for _ in range(b.first, b.last)]
        self.free = np.zeros(width, dtype=bool)
        for block in self.blocks:
            self.free[block.first : block.last] = block.levels is None
        self.columns = Columns(np.array(owners, dtype=int), self.free)

    def row(self, point: Point) -> Array:
        """Return the row of a point."""
        row = np.zeros(self.width)
        for block in self.blocks:
            value = point[block.axis.parameter.name]
            if block.axis.is_ordered:
                row[block.first] = block.axis.unit(value)
            else:
                row[block.first + block.axis.level_of(value)] = _HOT
        return row

    def point(self, row: Array) -> Point:
        """Return the point whose row is nearest."""
        found: dict[str, Value] = {}
        for block in self.blocks:
            name = block.axis.parameter.name
            if block.levels is None:
                found[name] = block.axis.value(float(row[block.first]))
            else:
                found[name] = block.axis.level(int(block.nearest(row[None])[0]))
        return {
            name: found[name] if name in found else axis.level(0)
            for name, axis in zip(self.cube.names, self.cube.axes, strict=True)
        }

    def spread(self, units: Array) -> Array:
        """Return the rows at these quantiles, a column for each parameter that varies."""
        rows = np.zeros((len(units), self.width))
        for block, unit in zip(self.blocks, units.T, strict=True):
            if block.levels is None:
                rows[:, block.first] = unit
            else:
                count = len(block.levels)
                places = np.minimum((unit * count).astype(int), count - 1)
                rows[:, block.first : block.last] = block.levels[places]
        return rows

    def neighbours(self, row: Array) -> Array:
        """Return the rows that differ in one level: the next of a number, any of a list."""
        found = []
        for block in self.blocks:
            if block.levels is None:
                continue
            here = int(block.nearest(row[None])[0])
            count = len(block.levels)
            if block.axis.is_ordered:
                places: Sequence[int] = [k for k in (here - 1, here + 1) if 0 <= k < count]
            else:
                places = [k for k in range(count) if k != here]
            for place in places:
                other = row.copy()
                other[block.first : block.last] = block.levels[place]
                found.append(other)
        return np.array(found).reshape(len(found), self.width)


def _levels(axis: Axis) -> Array | None:
    if not axis.is_ordered:
        levels: Array = np.eye(len(axis.choices)) * _HOT
        return levels
    if axis.levels is None or axis.levels > _COARSE:
        return None
    return np.array([[axis.unit(axis.level(k))] for k in range(axis.levels)])
