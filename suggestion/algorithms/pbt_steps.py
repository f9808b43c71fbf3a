"""How a value is changed from one generation to the next."""

import random

from ...api.space import ParameterKind, Value
from ..cube import Axis

_FACTORS = (0.8, 1.2)


def perturbed(axis: Axis, value: Value, chance: random.Random) -> Value:
    """Return a number times 0.8 or 1.2, within its range and on its grid; of a list a neighbour.

    A list of categories is a ring, one of numbers has ends. A grid that is too
    coarse for the factor is moved on by one level, so that no parameter stands still.
    """
    is_up = chance.random() < 0.5
    levels = axis.levels
    if levels == 1:
        return value
    if levels is not None and not axis.parameter.is_numeric:
        place = axis.level_of(value) + (1 if is_up else -1)
        is_ring = axis.parameter.kind is ParameterKind.CATEGORICAL
        return axis.level(place % levels if is_ring else min(max(place, 0), levels - 1))
    low, high = float(axis.parameter.low), float(axis.parameter.high)
    number = min(max(float(value) * _FACTORS[is_up], low), high)
    if levels is None:
        return number
    before, place = axis.level_of(value), axis.level_of(number)
    if place == before:
        grows = is_up if float(value) >= 0 else not is_up
        place = min(max(before + (1 if grows else -1), 0), levels - 1)
    return axis.level(place)


def explored(axis: Axis, value: Value, resample: float | None, chance: random.Random) -> Value:
    """Return a draw from the parameter's distribution with probability `resample`, else a step."""
    if resample is not None and chance.random() < resample:
        return axis.value(chance.random())
    return perturbed(axis, value, chance)
