"""Points as people write them: NAME=VALUE, or a mapping."""

import difflib
import math
from collections.abc import Mapping, Sequence

from ..api.compile import search_space
from ..api.errors import Fault, Invalid
from ..api.experiment import ExperimentSpec
from ..api.space import Parameter, Point, SearchSpace, Value, format_value
from ..db.records import ExperimentRecord
from .plain import native


def point_of(record: ExperimentRecord, values: Mapping[str, Value]) -> Point:
    """Return a point of an experiment's space that has these values.

    Raises:
        Invalid: with everything that is wrong with them.
    """
    space = search_space(ExperimentSpec.read(record.document["spec"]))
    written = [f"{name}={text}" for name, text in assignments(values).items()]
    return parse_point(space, written, path="point")


def assignments(values: Mapping[str, Value]) -> dict[str, str]:
    """Write values as a file has them."""
    return {name: format_value(native(value)) for name, value in values.items()}


def parse_point(
    space: SearchSpace, written: Sequence[str], *, path: str, complete: bool = True
) -> Point:
    """Read assignments; without `complete`, absent parameters get a value from their middle.

    Raises:
        Invalid: with everything that is wrong with them.
    """
    values: dict[str, Value] = {}
    faults = []
    for text in written:
        name, equals, value = text.partition("=")
        parameter = space.by_name.get(name)
        if not equals:
            faults.append(Fault(path, f"{text} is not an assignment", "write NAME=VALUE"))
        elif parameter is None:
            faults.append(Fault(path, f"there is no parameter {name}", _near(space, name)))
        else:
            try:
                values[name] = parameter.parse(value)
            except ValueError as error:
                remedy = f"{name} may be {parameter.describe()}"
                faults.append(Fault(f"{path} {name}", str(error), remedy))
    whole = {p.name: values.get(p.name, middle(p)) for p in space.parameters}
    point = space.actual(values if complete else whole)
    missing = [name for name in space.by_name if name in space.active(point) - point.keys()]
    if complete and missing and not faults:
        faults.append(Fault(path, f"no value for {', '.join(missing)}", "give each as NAME=VALUE"))
    stray = [name for name in values if name not in space.active(point)]
    if stray and not missing and not faults:
        remedy = "spec.parameterConditions says when it is; leave it out"
        faults += [Fault(path, f"{name} is not part of this point", remedy) for name in stray]
    if faults:
        raise Invalid(faults)
    return {name: point[name] for name in space.by_name if name in point}


def _near(space: SearchSpace, name: str) -> str:
    near = difflib.get_close_matches(name, space.by_name, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(space.by_name) or 'none'}"


def middle(parameter: Parameter) -> Value:
    """Return a value from the middle of a parameter's range, on its scale."""
    if parameter.levels is not None:
        return parameter.level((parameter.levels - 1) // 2)
    low, high = float(parameter.low), float(parameter.high)
    is_log = parameter.distribution.is_log
    exact = math.sqrt(low) * math.sqrt(high) if is_log else (low + high) / 2
    short = float(f"{exact:.6g}")
    return short if low <= short <= high else min(max(exact, low), high)
