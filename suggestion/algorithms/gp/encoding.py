"""Points as rows of numbers: what is near in a row is alike.

A numeric or discrete parameter is a column, its quantile in [0, 1]. A categorical one is a
column for each entry, of which one is hot: any two entries are as far apart as the ends of a
numeric parameter. A parameter with one value has no column. Where a parameter is inactive its
columns hold one and the same, `idle`: the middle, or no entry hot. That it is inactive the
columns of the list tell that it depends on.
"""

from dataclasses import dataclass

import numpy as np

from ....api.space import ParameterCondition, Point, Value
from ...cube import Axis, Cube
from .kernel import Array, Mask, Places

_HOT = 1.0 / np.sqrt(2.0)
_MIDDLE = 0.5
_COARSE = 128
"""Parameters of so many levels or fewer are searched level by level, others as if continuous:
between two levels, where nothing can be tried, a model must not promise anything."""
_STRIDES = (1, 2, 4, 8, 16, 32, 64)


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

    def around(self, level: int) -> list[int]:
        """Return the levels next to one, by steps of several sizes, or all others of a list."""
        assert self.levels is not None
        count = len(self.levels)
        if not self.axis.is_ordered:
            return [k for k in range(count) if k != level]
        steps = [step for stride in _STRIDES for step in (-stride, stride)]
        return [level + step for step in steps if 0 <= level + step < count]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which axis a column belongs to, and which axes can be warped."""

    axis: Places  # (c,)
    warped: Mask  # (c,)

    @property
    def axes(self) -> int:
        return int(self.axis.max()) + 1


class Encoding:
    """The rows of a search space."""

    def __init__(self, cube: Cube) -> None:
        self.cube = cube
        self.blocks: list[_Block] = []
        width = 0
        deciding = {condition.when for condition in cube.space.conditions}
        for axis in cube.axes:
            if axis.levels != 1:
                levels = _levels(axis, coarse=axis.parameter.name in deciding)
                last = width + (1 if levels is None else levels.shape[1])
                self.blocks.append(_Block(axis, width, last, levels))
                width = last
        self.width = width
        owners = [place for place, b in enumerate(self.blocks) for _ in range(b.first, b.last)]
        self.free = np.zeros(width, dtype=bool)
        for block in self.blocks:
            self.free[block.first : block.last] = block.levels is None
        self.columns = Columns(np.array(owners, dtype=int), self.free)
        self.idle = np.zeros(width)
        for block in self.blocks:
            self.idle[block.first : block.last] = _MIDDLE if block.axis.is_ordered else 0.0
        self._by_name = {block.axis.parameter.name: block for block in self.blocks}
        self._conditions = {each.parameter: each for each in cube.space.conditions}

    def row(self, point: Point) -> Array:
        """Return the row of a point."""
        row = self.idle.copy()
        for block in self.blocks:
            value = point.get(block.axis.parameter.name)
            if value is None:
                continue
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
        return self.cube.space.actual(
            {
                name: found[name] if name in found else axis.level(0)
                for name, axis in zip(self.cube.names, self.cube.axes, strict=True)
            }
        )

    def settled(self, rows: Array, idle: Array) -> tuple[Array, Mask]:
        """Return rows in which what is inactive is `idle`, and which columns may move, (m, c).

        What is active and has no level yet gets its first.
        """
        free = np.broadcast_to(self.free, rows.shape)
        if not self._conditions:
            return rows, free
        rows, free = rows.copy(), free.copy()
        active: dict[str, Mask] = {}
        for block in self.blocks:
            here = self._active(block.axis.parameter.name, rows, active)
            part = slice(block.first, block.last)
            rows[~here, part] = idle[part]
            free[~here, part] = False
            if block.levels is not None:
                rows[here, part] = block.levels[block.nearest(rows[here])]
        return rows, free

    def _active(self, name: str, rows: Array, known: dict[str, Mask]) -> Mask:
        """Say in which rows a parameter is active; `known` keeps what was found."""
        if name not in known:
            condition = self._conditions.get(name)
            found = np.ones(len(rows), dtype=bool)
            if condition is not None:
                found = self._active(condition.when, rows, known) & self._has(condition, rows)
            known[name] = found
        return known[name]

    def _has(self, condition: ParameterCondition, rows: Array) -> Mask:
        """Say in which rows the list that a condition names has one of its values."""
        block = self._by_name.get(condition.when)
        if block is None:  # it has one value
            only = self.cube.space.by_name[condition.when].choices[0]
            return np.full(len(rows), only in condition.values)
        allowed = np.array([choice in condition.values for choice in block.axis.choices])
        found: Mask = allowed[block.nearest(rows)]
        return found

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

    def neighbours(self, rows: Array) -> tuple[Array, Places]:
        """Return the rows that differ in one level from one of these, and which it is.

        An ordered level has those some steps away, of several sizes; one of a list all others.
        """
        found, owners = [np.empty((0, self.width))], [np.empty(0, dtype=int)]
        for block in self.blocks:
            if block.levels is None:
                continue
            for owner, level in enumerate(block.nearest(rows)):
                levels = block.levels[block.around(int(level))]
                others = np.repeat(rows[owner][None], len(levels), axis=0)
                others[:, block.first : block.last] = levels
                found.append(others)
                owners.append(np.full(len(levels), owner))
        return np.concatenate(found), np.concatenate(owners)


def _levels(axis: Axis, *, coarse: bool) -> Array | None:
    """Return a row for each value, None if it is searched as if continuous, unless `coarse`."""
    if not axis.is_ordered:
        levels: Array = np.eye(len(axis.choices)) * _HOT
        return levels
    if axis.levels is None or (axis.levels > _COARSE and not coarse):
        return None
    return np.array([[axis.unit(axis.level(k))] for k in range(axis.levels)])
