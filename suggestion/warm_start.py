"""Where a search begins that others went before: at what was best there, tried anew.

What other experiments measured may be on another scale, of other data, or wrong, so no value
of theirs is believed: their best points are run here first, and the algorithms learn from what
they come to (in the sense of Feurer, Springenberg and Hutter 2015). A source that misleads
costs those few trials and no more.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..api.space import Parameter, ParameterKind, Point, SearchSpace, Value, format_value
from .cube import Axis, Cube
from .seeds import generator

GREATEST = 8
"""Points that are taken from all sources together."""
SHARE = 4
"""They are at most one of so many trials of the budget."""
_APART = 0.1
"""How far points lie apart, in one parameter at least: the best of a search are often alike."""
_FILLED = 0x77617268  # the path of draws for parameters that a source does not have


@dataclass(frozen=True, slots=True)
class Source:
    """An experiment to begin from; `best` are its points, the best first."""

    name: str
    space: SearchSpace
    best: Sequence[Point]


def shared(space: SearchSpace, source: SearchSpace) -> bool:
    """Say whether two spaces have a parameter in common."""
    return not space.by_name.keys().isdisjoint(source.by_name)


def beginnings(
    space: SearchSpace, sources: Sequence[Source], *, seed: int, max_trials: int | None
) -> Sequence[tuple[Source, Point]]:
    """Return points of the space to try first, with where each comes from.

    The sources take turns, each with the best of its points that lies apart from those
    already taken.
    """
    greatest = GREATEST if max_trials is None else min(GREATEST, max(1, max_trials // SHARE))
    cube = Cube(space)
    taken: list[tuple[Source, Point]] = []
    turns = deque((source, _moved(space, cube, source, seed)) for source in sources)
    while turns and len(taken) < greatest:
        source, points = turns.popleft()
        apart = (point for point in points if all(_apart(cube, point, its) for _, its in taken))
        point = next(apart, None)
        if point is not None:
            taken.append((source, point))
            turns.append((source, points))
    return taken


def _moved(space: SearchSpace, cube: Cube, source: Source, seed: int) -> Iterator[Point]:
    """Yield a source's points as points of the space; what it does not have is drawn."""
    for place, theirs in enumerate(source.best):
        chance = generator(seed, _FILLED, place)
        point: dict[str, Value] = {}
        for axis in cube.axes:
            drawn = axis.value(chance.random())
            value = _nearest(axis.parameter, theirs.get(axis.parameter.name))
            point[axis.parameter.name] = drawn if value is None else value
        yield space.actual(point)


def _nearest(parameter: Parameter, value: Value | None) -> Value | None:
    """Return the parameter's value that is nearest to another space's, None where none is."""
    if value is None:
        return None
    if parameter.kind is ParameterKind.CATEGORICAL:
        text = format_value(value)
        return text if text in parameter.choices else None
    try:
        number = _finite(value)
    except ValueError:
        return None
    if not parameter.is_numeric:
        return min(parameter.choices, key=lambda entry: abs(float(entry) - number))
    if isinstance(value, int) and parameter.contains(value) and parameter.kind is ParameterKind.INT:
        return value  # as it is: it may be beyond what a double holds
    number = min(max(number, float(parameter.low)), float(parameter.high))
    return number if parameter.levels is None else parameter.level(parameter.level_of(number))


def _finite(value: Value) -> float:
    """Read a number; an entry that is called nan or inf is none.

    Raises:
        ValueError: it is no number.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _apart(cube: Cube, one: Point, other: Point) -> bool:
    """Say whether two points differ enough in a parameter that both have."""
    return (
        any(
            _differ(axis, one[axis.parameter.name], other[axis.parameter.name])
            for axis in cube.axes
            if axis.parameter.name in one.keys() & other.keys()
        )
        or one.keys() != other.keys()
    )


def _differ(axis: Axis, one: Value, other: Value) -> bool:
    if not axis.is_ordered:
        return one != other
    return abs(axis.unit(one) - axis.unit(other)) >= _APART
