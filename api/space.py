"""The search space: what a point may be.

A value is a float (double), an int (int) or the text of a list entry (discrete
and categorical: entries are what the file wrote, so that 0.10 stays 0.10).
Steps are kept exactly: the k-th level of a stepped double is the decimal
min + k·step, not a sum of binary fractions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from math import prod
from typing import TypeAlias

from .observation import TextValue

_LEAST, _GREATEST = Decimal("1e-300"), Decimal("1e300")

Value: TypeAlias = float | int | str
Point: TypeAlias = Mapping[str, Value]
"""One value for each active parameter, in the order of the space."""


class ParameterKind(StrEnum):
    """Katib's `parameterType`."""

    DOUBLE = "double"
    INT = "int"
    DISCRETE = "discrete"
    CATEGORICAL = "categorical"


class Distribution(StrEnum):
    """Katib's `distribution`.

    Normal ones have their mean in the middle of [min, max] and a sixth of the
    range as deviation, truncated to it; logNormal the same of the logarithm.
    """

    UNIFORM = "uniform"
    LOG_UNIFORM = "logUniform"
    NORMAL = "normal"
    LOG_NORMAL = "logNormal"

    @property
    def is_log(self) -> bool:
        return self in {Distribution.LOG_UNIFORM, Distribution.LOG_NORMAL}


@dataclass(frozen=True)
class Parameter:
    """One dimension, already validated.

    `low`, `high` and `step` are of numeric kinds (int: step 1 by default;
    double: None is continuous), `choices` of the listed ones.
    """

    name: str
    kind: ParameterKind
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None
    choices: tuple[str, ...] = ()
    distribution: Distribution = Distribution.UNIFORM

    @cached_property
    def is_numeric(self) -> bool:
        return self.kind in {ParameterKind.DOUBLE, ParameterKind.INT}

    @cached_property
    def levels(self) -> int | None:
        """How many values it can have; None when continuous."""
        if not self.is_numeric:
            return len(self.choices)
        step = self.step or (Decimal(1) if self.kind is ParameterKind.INT else None)
        if step is None:
            return 1 if self.low == self.high else None
        return int((self.high - self.low) / step) + 1

    def level(self, k: int) -> Value:
        """Return the k-th value, 0 ≤ k < levels."""
        if not self.is_numeric:
            return self.choices[k]
        exact = self.low + k * (self.step or Decimal(1))
        return int(exact) if self.kind is ParameterKind.INT else float(exact)

    def level_of(self, value: Value) -> int:
        """Return the k whose level is nearest to `value`; `levels` must not be None."""
        if not self.is_numeric:
            return self.choices.index(str(value))
        # Exact: whole numbers may be beyond what a double holds, and steps be finer.
        k = round((Decimal(value) - self.low) / (self.step or 1))
        return min(max(k, 0), (self.levels or 1) - 1)

    def contains(self, value: Value) -> bool:
        """Say whether a point may hold `value`: in range, and on the grid if there is one."""
        if not self.is_numeric:
            return value in self.choices
        if isinstance(value, str) or not self._spans(value):
            return False
        return self.levels is None or self.level(self.level_of(value)) == value

    def _spans(self, number: float) -> bool:
        if isinstance(number, int):  # exact: an end may be beyond what a double holds
            return self.low <= number <= self.high
        return float(self.low) <= number <= float(self.high)

    def parse(self, text: str) -> Value:
        """Read a value as files, the wire and the command line carry it.

        Raises:
            ValueError: it is no value of this parameter; the message says why.
        """
        if self.kind is ParameterKind.CATEGORICAL:
            value: Value = text
        elif self.kind is ParameterKind.DISCRETE:
            value = self._entry(text)
        else:
            value = _whole(text) if self.kind is ParameterKind.INT else self._snapped(_number(text))
        if not self.contains(value):
            raise ValueError(f"{text} is not in {self.describe()}")
        return value

    def nearest(self, number: float) -> Value:
        """Return the value that is nearest to a finite number; it must be numeric."""
        inside = min(max(number, float(self.low)), float(self.high))
        return inside if self.levels is None else self.level(self.level_of(inside))

    def _snapped(self, value: float) -> float:
        """Return the level that a double is but for what rounding made of it."""
        if self.step is None or not self._spans(value):
            return value
        nearest = float(self.level(self.level_of(value)))
        is_it = math.isclose(nearest, value, rel_tol=1e-15, abs_tol=1e-8 * float(self.step))
        return nearest if is_it else value

    def _entry(self, text: str) -> str:
        if text in self.choices:
            return text
        number = _number(text)
        return next((entry for entry in self.choices if float(entry) == number), text)

    def native(self, value: Value) -> Value:
        """Return the value as a program wants it: a discrete entry as its number."""
        if self.kind is not ParameterKind.DISCRETE:
            return value
        number = float(value)
        return int(number) if number.is_integer() and "." not in str(value) else number

    def describe(self) -> str:
        """Say in a few characters what it may be: `[0.01, 0.1] step 0.01`, `{sgd, adam}`."""
        if not self.is_numeric:
            return "{" + ", ".join(self.choices) + "}"
        step = f" step {self.step}" if self.step is not None else ""
        return f"[{self.low}, {self.high}]{step}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number") from error


def is_beyond(number: Decimal) -> bool:
    """Whether a finite number is nearer to 0 or further from it than doubles can count with.

    The width of a range must be a double, too. Compared without a rounding, which raises there.
    """
    return number != 0 and not _LEAST <= number.copy_abs() <= _GREATEST


def is_narrow(low: Decimal, high: Decimal, kind: str, distribution: str) -> bool:
    """Whether two different ends, neither of them beyond doubles, are one where values are drawn.

    Whole numbers that are all alike are counted exactly.
    """
    if low == high or (kind == ParameterKind.INT and distribution == Distribution.UNIFORM):
        return False
    ends = float(low), float(high)
    if distribution in {Distribution.LOG_UNIFORM, Distribution.LOG_NORMAL} and min(ends) > 0:
        ends = math.log(ends[0]), math.log(ends[1])
    return ends[0] == ends[1]


def _whole(text: str) -> int:
    try:
        exact = Decimal(text.strip())
        # An exponent is a few characters, and its number may be longer than memory.
        whole = int(exact) if exact.adjusted() <= _GREATEST.adjusted() else None
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"{text} is not a number") from error
    if whole is None:
        raise ValueError(f"{text} is too large")
    if whole != exact:
        raise ValueError(f"{text} is not a whole number")
    return whole


@dataclass(frozen=True, slots=True)
class ParameterCondition:
    """`parameter` is part of a point only when `when` has one of `values`."""

    parameter: str
    when: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class SearchSpace:
    """The parameters in the order of the file.

    A parameter has at most one condition, on an entry of a list; none depends on itself.
    """

    parameters: tuple[Parameter, ...]
    conditions: tuple[ParameterCondition, ...] = field(default=())

    @cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @cached_property
    def cardinality(self) -> int | None:
        """How many points it has; None when one parameter is continuous."""
        if any(parameter.levels is None for parameter in self.parameters):
            return None
        return prod(self.ways(parameter.name) for parameter in self.unconditional)

    @cached_property
    def unconditional(self) -> tuple[Parameter, ...]:
        """The parameters that every point has."""
        conditional = {condition.parameter for condition in self.conditions}
        return tuple(each for each in self.parameters if each.name not in conditional)

    def below(self, name: str, value: Value) -> tuple[Parameter, ...]:
        """Return the parameters that are active because parameter `name` has this value."""
        depend = {
            condition.parameter
            for condition in self.conditions
            if condition.when == name and value in condition.values
        }
        return tuple(each for each in self.parameters if each.name in depend)

    def ways(self, name: str) -> int:
        """Count a parameter's values, each with every choice of what depends on it; all finite."""
        parameter = self.by_name[name]
        if not any(condition.when == name for condition in self.conditions):
            return parameter.levels or 1
        return sum(
            prod(self.ways(each.name) for each in self.below(name, choice))
            for choice in parameter.choices
        )

    def contains(self, point: Point) -> bool:
        return point.keys() == self.active(point) and all(
            self.by_name[name].contains(value) for name, value in point.items()
        )

    def active(self, point: Point) -> frozenset[str]:
        """Return the parameters that a point with these values has.

        A parameter whose condition names one that is itself inactive is inactive.
        """
        names = set(self.by_name)
        for _ in self.conditions:
            names -= {
                condition.parameter
                for condition in self.conditions
                if condition.when not in names or point.get(condition.when) not in condition.values
            }
        return frozenset(names)

    def actual(self, point: Point) -> Point:
        """Return a point of all parameters without those that are inactive in it."""
        if not self.conditions:
            return point
        names = self.active(point)
        return {name: value for name, value in point.items() if name in names}

    def natives(self, point: Point) -> dict[str, Value]:
        """Return a point as a program wants it. Names outside the space keep their values."""
        known = self.by_name
        return {
            name: known[name].native(value) if name in known else value
            for name, value in point.items()
        }


def format_value(value: Value) -> str:
    """Write a value as templates, files and the wire carry it."""
    if isinstance(value, TextValue):
        return value.text
    return repr(float(value)) if isinstance(value, float) else str(value)
