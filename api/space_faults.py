"""What keeps a search space that came over a wire from being searched.

The space of a file has been judged by `validation`, which knows its fields and is stricter.
"""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from .errors import Fault, Invalid
from .space import Parameter, ParameterKind, SearchSpace, is_beyond, is_narrow


def sound(space: SearchSpace, path: str) -> SearchSpace:
    """Return the space; `path` is that of its parameters.

    Raises:
        Invalid: it cannot be searched; every fault is named.
    """
    faults = _faults(space, path)
    if faults:
        raise Invalid(faults)
    return space


def _faults(space: SearchSpace, path: str) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    for place, parameter in enumerate(space.parameters):
        where = f"{path}[{place}]"
        complaints = _of_range(parameter) if parameter.is_numeric else _of_list(parameter)
        faults += [Fault(where, f"parameter {parameter.name}: {each}") for each in complaints]
        if parameter.name in seen:
            faults.append(Fault(where, f"there are several parameters {parameter.name}"))
        seen.add(parameter.name)
    faults += [Fault(path, each) for each in _of_conditions(space)]
    return faults


def _of_conditions(space: SearchSpace) -> Iterator[str]:
    when: dict[str, str] = {}
    for condition in space.conditions:
        name, decides = condition.parameter, condition.when
        for unknown in {name, decides} - space.by_name.keys():
            yield f"a condition names {unknown}, which is not a parameter"
        if decides in space.by_name and space.by_name[decides].is_numeric:
            yield f"a condition depends on {decides}, which is not a list"
        if name in when:
            yield f"there are several conditions of {name}"
        when[name] = decides
    yield from (f"{name} depends on itself" for name in when if name in _decisive(name, when))


def _decisive(name: str, when: Mapping[str, str]) -> set[str]:
    """Return all that a parameter depends on."""
    found: set[str] = set()
    while name in when and when[name] not in found:
        name = when[name]
        found.add(name)
    return found


def _of_range(parameter: Parameter) -> Iterator[str]:
    numbers = {"min": parameter.low, "max": parameter.high}
    if parameter.step is not None:
        numbers["step"] = parameter.step
    unfit = [name for name, number in numbers.items() if not _is_fit(number, parameter.kind)]
    what = "whole" if parameter.kind is ParameterKind.INT else "finite"
    yield from (f"{name} {numbers[name]} is not a {what} number" for name in unfit)
    if unfit:
        return
    if parameter.low > parameter.high:
        yield f"max {parameter.high} is less than min {parameter.low}"
    if parameter.step is not None and parameter.step <= 0:
        yield f"step {parameter.step} is not greater than 0"
    if parameter.distribution.is_log and parameter.low <= 0:
        yield f"min {parameter.low} is not greater than 0, for {parameter.distribution}"
    if is_narrow(parameter.low, parameter.high, parameter.kind, parameter.distribution):
        yield f"min {parameter.low} and max {parameter.high} are too near for doubles to tell apart"


def _is_fit(number: Decimal, kind: ParameterKind) -> bool:
    """Say whether it is finite, also where doubles count, and whole where only that will do."""
    if not number.is_finite() or is_beyond(number):
        return False
    return kind is ParameterKind.DOUBLE or number == number.to_integral_value()


def _of_list(parameter: Parameter) -> Iterator[str]:
    if not parameter.choices:
        yield "its list is empty"
    if len(set(parameter.choices)) < len(parameter.choices):
        yield "an entry is in its list twice"
    if parameter.kind is ParameterKind.DISCRETE:
        wrong = (entry for entry in parameter.choices if not _is_number(entry))
        yield from (f"{entry!r} is not a finite number" for entry in wrong)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
