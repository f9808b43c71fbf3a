"""The parameter that a multi-fidelity algorithm sets by itself: a trial's resource.

Katib's settings `resource_name` and `r_l` name it and its greatest value. The
range that a file gives it does not bound it (Katib's own examples leave it at one
value), so a search space is widened to hold what the algorithm will propose.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from .space import Parameter, SearchSpace

NAME = "resource_name"
GREATEST = "r_l"
LEAST = "r_min"
_ONE = Decimal(1)


def widened(space: SearchSpace, settings: Mapping[str, str]) -> SearchSpace:
    """Return the space in which the resource, if there is one, takes every value up to `r_l`.

    They begin at 1, or at asha's `r_min` where that is less.
    """
    greatest = _number(settings.get(GREATEST, ""))
    if greatest is None or settings.get(NAME) not in space.by_name:
        return space
    least = min(_number(settings.get(LEAST, "")) or _ONE, _ONE, greatest)
    return replace(
        space,
        parameters=tuple(
            _widened(each, least, greatest)
            if each.name == settings[NAME] and each.is_numeric
            else each
            for each in space.parameters
        ),
    )


def _widened(resource: Parameter, least: Decimal, greatest: Decimal) -> Parameter:
    low, high = min(resource.low, least), max(resource.high, greatest)
    return replace(resource, low=low, high=high, step=None)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None  # validation says so
    return number if number.is_finite() and number > 0 else None
