"""The search space as the unit cube: what makes a distribution, a step or a list a number.

A uniform draw from [0, 1] becomes a value by the quantile function of the
parameter's distribution, and a value becomes the middle of the draws that lead
to it. Steps are levels: each has the probability of the interval of half a step
around it, the ends included, so that no level is favoured or cut.
"""

import bisect
import itertools
import math
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

from ..api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace, Value

_DOUBLE = struct.Struct("<d")
_MIDDLE = 0.5
_INACTIVE = ()  # it is hashed alike in every process, and no number is equal to it
_TAIL = 1e-12  # quantiles of a normal distribution are finite within
_NORMALS = frozenset({Distribution.NORMAL, Distribution.LOG_NORMAL})


@dataclass(frozen=True)
class Axis:
    """One parameter as an interval of the cube.

    The levels of a discrete parameter are in the order of its numbers, not of
    its list, so that neighbours are alike.
    """

    parameter: Parameter

    @cached_property
    def levels(self) -> int | None:
        """How many values there are; None when it is continuous."""
        return self.parameter.levels

    @property
    def is_ordered(self) -> bool:
        return self.parameter.kind is not ParameterKind.CATEGORICAL

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The entries of a listed parameter, in the order of the axis."""
        entries = self.parameter.choices
        return tuple(sorted(entries, key=float)) if self.is_ordered else entries

    def level(self, k: int) -> Value:
        """Return the k-th value."""
        return self.parameter.level(k) if self.parameter.is_numeric else self.choices[k]

    def level_of(self, value: Value) -> int:
        """Return the place of a value."""
        if self.parameter.is_numeric:
            return self.parameter.level_of(value)
        return self._places[str(value)]

    def value(self, unit: float) -> Value:
        """Return the value at a quantile, 0 ≤ unit ≤ 1."""
        if self.levels is None:
            return self._continuous(unit)
        if self._is_even:
            return self.level(min(int(unit * self.levels), self.levels - 1))
        step = float(self.parameter.step or 1)
        k = round((self._quantile(unit) - float(self.parameter.low)) / step)
        return self.level(min(max(k, 0), self.levels - 1))

    def unit(self, value: Value) -> float:
        """Return the quantile in the middle of those that give this value."""
        if self.levels is None:
            return self._rank(float(value))
        k = self.level_of(value)
        if self._is_even:
            return (k + 0.5) / self.levels
        step = float(self.parameter.step or 1)
        middle = float(self.parameter.low) + k * step
        low, high = self._ends
        return (
            self._rank(max(middle - step / 2, low)) + self._rank(min(middle + step / 2, high))
        ) / 2

    @cached_property
    def _places(self) -> dict[str, int]:
        return {entry: place for place, entry in enumerate(self.choices)}

    @cached_property
    def _is_even(self) -> bool:
        """Whether every level is as likely as any other."""
        return (
            not self.parameter.is_numeric
            or self.levels == 1
            or self.parameter.distribution is Distribution.UNIFORM
        )

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """The range of the draw: half a step beyond the first and the last level."""
        low, high = float(self.parameter.low), float(self.parameter.high)
        if self.levels is None:
            return low, high
        step = float(self.parameter.step or 1)
        last = low + (self.levels - 1) * step
        first = low - step / 2
        if self.parameter.distribution.is_log and first <= 0:
            first = low * low / (low + step / 2)  # as far below as half a step is above
        return first, last + step / 2

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """The ends as the distribution sees them: their logarithms for a log one."""
        low, high = self._ends
        if self.parameter.distribution.is_log:
            return math.log(low), math.log(high)
        return low, high

    @cached_property
    def _normal(self) -> tuple[NormalDist, float, float]:
        """The normal distribution, and the quantiles at which it is cut."""
        low, high = self._scale
        normal = NormalDist((low + high) / 2, (high - low) / 6)
        return normal, normal.cdf(low), normal.cdf(high)

    def _continuous(self, unit: float) -> float:
        low, high = self._ends
        if not 0 < unit < 1:  # a logarithm and back would miss the ends by a rounding
            return low if unit <= 0 else high
        return min(max(self._quantile(unit), low), high)

    def _quantile(self, unit: float) -> float:
        low, high = self._scale
        if self.parameter.distribution in _NORMALS:
            normal, first, last = self._normal
            position = first + min(max(unit, 0.0), 1.0) * (last - first)
            number = normal.inv_cdf(min(max(position, _TAIL), 1 - _TAIL))
        else:
            number = low + unit * (high - low)
        return math.exp(number) if self.parameter.distribution.is_log else number

    def _rank(self, number: float) -> float:
        low, high = self._scale
        if self.parameter.distribution.is_log:
            number = math.log(number)
        if self.parameter.distribution in _NORMALS:
            normal, first, last = self._normal
            unit = (normal.cdf(number) - first) / (last - first)
        else:
            unit = (number - low) / (high - low)
        return min(max(unit, 0.0), 1.0)


class Numbers:
    """Numbers the points of a finite space from 0 without gaps.

    It is a forest: below each value of a list stand the parameters that are active because of
    it. What stands side by side is combined, the last counting fastest; the values of a list
    follow one another, each with the combinations below it.
    """

    def __init__(self, space: SearchSpace, axes: Sequence[Axis]) -> None:
        self._axes = {axis.parameter.name: axis for axis in axes}
        self._ways = {name: space.ways(name) for name in self._axes}
        self._first = tuple(each.name for each in space.unconditional)
        self._below: dict[str, list[tuple[str, ...]]] = {}  # by level
        self._starts: dict[str, list[int]] = {}  # the first number of each level
        for name in {condition.when for condition in space.conditions}:
            below = [
                tuple(each.name for each in space.below(name, choice))
                for choice in self._axes[name].choices
            ]
            sizes = (math.prod(self._ways[each] for each in names) for names in below)
            self._below[name] = below
            self._starts[name] = list(itertools.accumulate(sizes, initial=0))

    def rank(self, point: Point) -> int:
        return self._rank(self._first, point)

    def unrank(self, rank: int) -> Point:
        found: dict[str, Value] = {}
        self._unrank(self._first, rank, found)
        return found

    def _rank(self, names: Sequence[str], point: Point) -> int:
        rank = 0
        for name in names:
            place = self._axes[name].level_of(point[name])
            if name in self._below:
                inner = self._rank(self._below[name][place], point)
                place = self._starts[name][place] + inner
            rank = rank * self._ways[name] + place
        return rank

    def _unrank(self, names: Sequence[str], rank: int, found: dict[str, Value]) -> None:
        for name in reversed(names):
            rank, place = divmod(rank, self._ways[name])
            if name in self._below:
                starts = self._starts[name]
                level = bisect.bisect_right(starts, place) - 1
                self._unrank(self._below[name][level], place - starts[level], found)
                place = level
            found[name] = self._axes[name].level(place)


def _bits(number: float) -> int:
    """Return a number's bits: Python hashes -1.0 as it does -2.0. Both zeros are one."""
    return int.from_bytes(_DOUBLE.pack(number + 0.0), "little")


class Cube:
    """A search space as the unit cube of its axes, in the order of the file.

    A point has no values for parameters that its others leave inactive: their axes are ignored
    where a point is made, and in the middle where one is read.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.axes = tuple(Axis(parameter) for parameter in space.parameters)
        self.names = tuple(parameter.name for parameter in space.parameters)
        self.cardinality = space.cardinality
        self._numbers = None if self.cardinality is None else Numbers(space, self.axes)

    def point(self, units: Sequence[float]) -> Point:
        """Return the point at these quantiles."""
        return self.space.actual(
            {
                name: axis.value(unit)
                for name, axis, unit in zip(self.names, self.axes, units, strict=True)
            }
        )

    def draw(self, chance: random.Random) -> Point:
        """Draw a point from the parameters' distributions."""
        return self.point([chance.random() for _axis in self.axes])

    def units(self, point: Point) -> list[float]:
        """Return the quantiles of a point."""
        return [
            axis.unit(point[name]) if name in point else _MIDDLE
            for name, axis in zip(self.names, self.axes, strict=True)
        ]

    def rank(self, point: Point) -> int:
        """Number a point of a finite space: the last parameter counts fastest."""
        assert self._numbers is not None
        return self._numbers.rank(point)

    def unrank(self, rank: int) -> Point:
        """Return the point of a finite space that has this number."""
        assert self._numbers is not None
        found = self._numbers.unrank(rank)
        return {name: found[name] for name in self.names if name in found}

    def key(self, point: Point) -> int:
        """Return what points have in common that are one and the same.

        Of a finite space that is the point's number. Of a continuous one it is a hash of 64
        bits, which two others share as seldom as chance has it (CPython hashes whole numbers
        and tuples alike in every process).
        """
        if self.cardinality is not None:
            return self.rank(point)
        return hash(
            tuple(
                _INACTIVE
                if name not in point
                else _bits(float(point[name]))
                if axis.levels is None
                else axis.level_of(point[name])
                for name, axis in zip(self.names, self.axes, strict=True)
            )
        )
