"""Problems with a known optimum, on which algorithms are compared.

The continuous ones are the standard functions of the field (Surjanovic and
Bingham, Virtual Library of Simulation Experiments), to be minimized.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ...api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace


@dataclass(frozen=True, slots=True)
class Challenge:
    """A search space with a loss whose least value is known."""

    name: str
    space: SearchSpace
    loss: Callable[[Point], float]
    optimum: float


def _branin(x: list[float]) -> float:
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (x[1] - b * x[0] ** 2 + c * x[0] - 6) ** 2 + 10 * (1 - t) * math.cos(x[0]) + 10


_HARTMANN_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def _hartmann6(x: list[float]) -> float:
    rows = zip((1.0, 1.2, 3.0, 3.2), _HARTMANN_A, _HARTMANN_P, strict=True)
    return -sum(
        weight * math.exp(-sum(a * (v - p) ** 2 for a, v, p in zip(row, x, place, strict=True)))
        for weight, row, place in rows
    )


def _ackley(x: list[float]) -> float:
    squares = math.sqrt(sum(v * v for v in x) / len(x))
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * squares) - math.exp(waves)


def _rosenbrock(x: list[float]) -> float:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))


def _rastrigin(x: list[float]) -> float:
    return 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def _training(point: Point) -> float:
    """Behave like a network's error: a rate that suits the optimizer, and a width that pays."""
    rate, width = math.log10(float(point["rate"])), float(point["width"])
    suits = {"sgd": -1.0, "adam": -3.0, "rmsprop": -3.3}[str(point["optimizer"])]
    floor = {"sgd": 0.06, "adam": 0.05, "rmsprop": 0.07}[str(point["optimizer"])]
    return (
        floor
        + 0.05 * (rate - suits) ** 2
        + 0.3 * (float(point["dropout"]) - 0.2) ** 2
        + 0.02 * abs(width - 192) / 64
    )


def _numbers(point: Point) -> list[float]:
    return [float(value) for value in point.values()]


def _function(
    name: str,
    loss: Callable[[list[float]], float],
    ranges: list[tuple[float, float]],
    optimum: float,
) -> Challenge:
    parameters = (
        Parameter(f"x{place}", ParameterKind.DOUBLE, Decimal(str(low)), Decimal(str(high)))
        for place, (low, high) in enumerate(ranges)
    )
    return Challenge(
        name, SearchSpace(tuple(parameters)), lambda point: loss(_numbers(point)), optimum
    )


_TRAINING = SearchSpace(
    (
        Parameter(
            "rate",
            ParameterKind.DOUBLE,
            Decimal("0.00001"),
            Decimal(1),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("width", ParameterKind.INT, Decimal(32), Decimal(512), Decimal(32)),
        Parameter("dropout", ParameterKind.DOUBLE, Decimal(0), Decimal("0.5")),
        Parameter("optimizer", ParameterKind.CATEGORICAL, choices=("sgd", "adam", "rmsprop")),
    )
)

CHALLENGES: Mapping[str, Challenge] = {
    challenge.name: challenge
    for challenge in (
        _function("branin", _branin, [(-5, 10), (0, 15)], 0.39788735772973816),
        _function("hartmann6", _hartmann6, [(0, 1)] * 6, -3.322368011415515),
        _function("ackley10", _ackley, [(-32.768, 32.768)] * 10, 0.0),
        _function("rosenbrock5", _rosenbrock, [(-5, 10)] * 5, 0.0),
        _function("rastrigin5", _rastrigin, [(-5.12, 5.12)] * 5, 0.0),
        Challenge("training", _TRAINING, _training, 0.05),
    )
}
