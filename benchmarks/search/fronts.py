"""Problems with two objectives, both to be minimized, and what their fronts cover.

ZDT: Zitzler, Deb and Thiele 2000. DTLZ: Deb, Thiele, Laumanns and Zitzler 2002.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tunewright.api.space import Parameter, ParameterKind, Point, SearchSpace

Vector = Sequence[float]
Pair = tuple[float, float]
_STEPS = 4000


@dataclass(frozen=True, slots=True)
class TwoObjectives:
    """`front` returns the least losses that can be had together, at a place from 0 to 1."""

    name: str
    space: SearchSpace
    losses: Callable[[Point], Pair]
    front: Callable[[float], Pair]
    reference: Pair

    def best(self) -> list[Pair]:
        """Return the front, as points that lie close together."""
        return [self.front(step / _STEPS) for step in range(_STEPS + 1)]


def _numbers(count: int, low: float = 0, high: float = 1) -> SearchSpace:
    ends = Decimal(str(low)), Decimal(str(high))
    return SearchSpace(
        tuple(Parameter(f"x{place}", ParameterKind.DOUBLE, *ends) for place in range(count))
    )


def _of(losses: Callable[[Vector], Pair]) -> Callable[[Point], Pair]:
    return lambda point: losses([float(value) for value in point.values()])


def _far(x: Vector) -> float:
    return 1 + 9 * sum(x[1:]) / (len(x) - 1)


def zdt1(x: Vector) -> Pair:
    g = _far(x)
    return x[0], g * (1 - math.sqrt(x[0] / g))


def zdt2(x: Vector) -> Pair:
    g = _far(x)
    return x[0], g * (1 - (x[0] / g) ** 2)


def zdt3(x: Vector) -> Pair:
    g = _far(x)
    return x[0], g * (1 - math.sqrt(x[0] / g) - x[0] / g * math.sin(10 * math.pi * x[0]))


def dtlz2(x: Vector) -> Pair:
    g = 1 + sum((v - 0.5) ** 2 for v in x[1:])
    return g * math.cos(x[0] * math.pi / 2), g * math.sin(x[0] * math.pi / 2)


def fonseca(x: Vector) -> Pair:
    middle = 1 / math.sqrt(len(x))
    near = math.exp(-sum((v - middle) ** 2 for v in x))
    far = math.exp(-sum((v + middle) ** 2 for v in x))
    return 1 - near, 1 - far


def _fonseca_front(t: float) -> Pair:
    at = (2 * t - 1) / math.sqrt(3)
    return fonseca([at] * 3)


TUNING = (
    TwoObjectives("zdt1", _numbers(6), _of(zdt1), lambda t: (t, 1 - math.sqrt(t)), (1.1, 1.1)),
)
HELD_OUT = (
    TwoObjectives("zdt2", _numbers(6), _of(zdt2), lambda t: (t, 1 - t * t), (1.1, 1.1)),
    TwoObjectives("zdt3", _numbers(6), _of(zdt3), lambda t: zdt3([t, 0.0]), (1.1, 1.1)),
    TwoObjectives("dtlz2", _numbers(6), _of(dtlz2), lambda t: dtlz2([t, 0.5]), (1.1, 1.1)),
    TwoObjectives("fonseca", _numbers(3, -4, 4), _of(fonseca), _fonseca_front, (1.1, 1.1)),
)
