"""Search spaces in Python: a mapping of names to what the functions here return.

>>> from tunewright import search
>>> space = {
...     "lr": search.double(1e-5, 1e-1, log=True),
...     "layers": search.int(1, 8),
...     "optimizer": search.categorical(["sgd", "adam"]),
...     "momentum": search.double(0, 1, when={"optimizer": ["sgd"]}),
... }

A parameter that cannot be is refused where it is built.

>>> search.double(1, 0)  # doctest: +ELLIPSIS
Traceback (most recent call last):
tunewright.api.errors.Invalid: ...max 0 must not be less than min 1 (swap them)
"""

import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..api.errors import Fault, Invalid
from ..api.parameter_spec import FeasibleSpace, ParameterSpec
from ..api.space import format_value
from ..api.validation.report import Report
from ..api.validation.space import check_parameters
from .plain import native

Number: TypeAlias = builtins.int | float
When: TypeAlias = Mapping[str, Sequence[str | Number]]
"""The parameters that another depends on, each with the values at which it exists."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter of a space; made by the functions of this module."""

    kind: str
    feasible: FeasibleSpace
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def spec(self, name: str) -> dict[str, Any]:
        """Return the parameter as `spec.parameters` has it."""
        written = self.feasible.model_dump(by_alias=True, exclude_defaults=True, mode="json")
        return {"name": name, "parameterType": self.kind, "feasibleSpace": written}

    def conditions(self, name: str) -> list[dict[str, Any]]:
        """Return its conditions as `spec.parameterConditions` has them."""
        return [
            {"parameter": name, "when": {"parameter": other, "in": list(values)}}
            for other, values in self.when
        ]


Space: TypeAlias = Mapping[str, Dimension]


def double(
    low: Number,
    high: Number,
    *,
    step: Number | None = None,
    log: bool = False,
    when: When | None = None,
) -> Dimension:
    """Return a real number between `low` and `high`.

    `step` leaves low, low + step, …; `log` draws every order of magnitude alike.

    Raises:
        Invalid: there is no such number.
    """
    return _numeric("double", low, high, step, "logUniform" if log else "uniform", when)


def int(  # noqa: A001  # the field's word
    low: builtins.int,
    high: builtins.int,
    *,
    step: builtins.int | None = None,
    log: bool = False,
    when: When | None = None,
) -> Dimension:
    """Return a whole number from `low` to `high`, both included.

    Raises:
        Invalid: there is no such number.
    """
    return _numeric("int", low, high, step, "logUniform" if log else "uniform", when)


def normal(low: Number, high: Number, *, log: bool = False, when: When | None = None) -> Dimension:
    """Return a real number that is likelier in the middle: six standard deviations wide.

    With `log` its logarithm is.

    Raises:
        Invalid: there is no such number.
    """
    return _numeric("double", low, high, None, "logNormal" if log else "normal", when)


def categorical(values: Sequence[str | Number], *, when: When | None = None) -> Dimension:
    """Return one of some values that have no order; a trial is given it as text.

    Raises:
        Invalid: there are none, or one stands twice.
    """
    return _listed("categorical", values, when)


def discrete(values: Sequence[Number], *, when: When | None = None) -> Dimension:
    """Return one of some numbers.

    Raises:
        Invalid: there are none, or one stands twice, or is no number.
    """
    return _listed("discrete", values, when)


def parameters(space: Space) -> dict[str, Any]:
    """Return the part of `spec` that a space is.

    Raises:
        Invalid: an entry was not made by a function of this module.
    """
    if not isinstance(space, Mapping):
        raise _wrong(space, "is not a mapping", 'write {"x": search.double(0, 1)}')
    strange = {name: one for name, one in space.items() if not isinstance(one, Dimension)}
    if strange:
        remedy = "write search.double(0, 1), search.int(1, 8) or search.categorical(…)"
        raise Invalid(
            Fault(f"space[{name!r}]", f"{one!r} has no values", remedy)
            for name, one in strange.items()
        )
    conditions = [each for name, one in space.items() for each in one.conditions(name)]
    return {
        "parameters": [one.spec(name) for name, one in space.items()],
        **({"parameterConditions": conditions} if conditions else {}),
    }


def _numeric(  # noqa: PLR0917  # what a range has
    kind: str,
    low: Number,
    high: Number,
    step: Number | None,
    distribution: str,
    when: When | None,
) -> Dimension:
    feasible = FeasibleSpace(
        min=format_value(native(low)),
        max=format_value(native(high)),
        step=None if step is None else format_value(native(step)),
        distribution=None if distribution == "uniform" else distribution,
    )
    return _checked(kind, feasible, when)


def _listed(kind: str, values: Sequence[str | Number], when: When | None) -> Dimension:
    return _checked(kind, FeasibleSpace(list=_entries(values)), when)


def _entries(values: object) -> tuple[str, ...]:
    """Write the entries of a list as a file has them.

    Raises:
        Invalid: it is no list, or holds what is neither a text nor a number.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _wrong(values, "is not a list", f"write [{values!r}]")
    entries = tuple(_entry(native(each)) for each in values)
    # A set has another order in each process, and a seed would not give the same points.
    return tuple(sorted(entries)) if isinstance(values, set | frozenset) else entries


def _entry(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | builtins.int | float):
        raise _wrong(
            value, "is neither a text nor a number", f'trials are given text: write "{value}"'
        )
    return format_value(value)


def _wrong(value: object, message: str, remedy: str) -> Invalid:
    return Invalid([Fault("search", f"{value!r} {message}", remedy)])


def _checked(kind: str, feasible: FeasibleSpace, when: When | None) -> Dimension:
    report = Report()
    spec = ParameterSpec(name="it", parameter_type=kind, feasible_space=feasible)
    check_parameters([spec], "search", report)
    if report.faults:
        raise Invalid(report.faults)
    if when is not None and not isinstance(when, Mapping):
        raise _wrong(when, "names no values of another parameter", 'write {"optimizer": ["sgd"]}')
    return Dimension(
        kind,
        feasible,
        tuple((other, _entries(values)) for other, values in (when or {}).items()),
    )
