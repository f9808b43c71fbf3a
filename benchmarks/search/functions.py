"""The standard continuous functions, to be minimized, with their least values.

Formulas and ranges: Surjanovic and Bingham, Virtual Library of Simulation Experiments.
Where a function's least value lies in the middle of its usual range, the range is moved,
so that no search finds it by beginning in the middle.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from tunewright.api.space import Parameter, ParameterKind, SearchSpace
from tunewright.suggestion.plugin.problems import Challenge

Vector = Sequence[float]


def function(
    name: str,
    loss: Callable[[Vector], float],
    ranges: Sequence[tuple[float, float]],
    optimum: float,
) -> Challenge:
    parameters = tuple(
        Parameter(f"x{place}", ParameterKind.DOUBLE, Decimal(str(low)), Decimal(str(high)))
        for place, (low, high) in enumerate(ranges)
    )
    return Challenge(
        name,
        SearchSpace(parameters),
        lambda point: loss([float(value) for value in point.values()]),
        optimum,
    )


def goldstein_price(x: Vector) -> float:
    a, b = x
    near = 19 - 14 * a + 3 * a * a - 14 * b + 6 * a * b + 3 * b * b
    far = 18 - 32 * a + 12 * a * a + 48 * b - 36 * a * b + 27 * b * b
    return (1 + (a + b + 1) ** 2 * near) * (30 + (2 * a - 3 * b) ** 2 * far)


def camel6(x: Vector) -> float:
    a, b = x
    return (4 - 2.1 * a**2 + a**4 / 3) * a * a + a * b + (4 * b * b - 4) * b * b


_HARTMANN3_A = ((3, 10, 30), (0.1, 10, 35), (3, 10, 30), (0.1, 10, 35))
_HARTMANN3_P = (
    (0.3689, 0.1170, 0.2673),
    (0.4699, 0.4387, 0.7470),
    (0.1091, 0.8732, 0.5547),
    (0.0381, 0.5743, 0.8828),
)


def hartmann3(x: Vector) -> float:
    rows = zip((1.0, 1.2, 3.0, 3.2), _HARTMANN3_A, _HARTMANN3_P, strict=True)
    return -sum(
        weight * math.exp(-sum(a * (v - p) ** 2 for a, v, p in zip(row, x, place, strict=True)))
        for weight, row, place in rows
    )


_SHEKEL_B = (0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5)
_SHEKEL_C = (
    (4, 4, 4, 4),
    (1, 1, 1, 1),
    (8, 8, 8, 8),
    (6, 6, 6, 6),
    (3, 7, 3, 7),
    (2, 9, 2, 9),
    (5, 3, 5, 3),
    (8, 1, 8, 1),
    (6, 2, 6, 2),
    (7, 3.6, 7, 3.6),
)


def shekel(x: Vector) -> float:
    return -sum(
        1 / (b + sum((v - c) ** 2 for v, c in zip(x, place, strict=True)))
        for b, place in zip(_SHEKEL_B, _SHEKEL_C, strict=True)
    )


def styblinski_tang(x: Vector) -> float:
    return sum(v**4 - 16 * v * v + 5 * v for v in x) / 2


def levy(x: Vector) -> float:
    w = [1 + (v - 1) / 4 for v in x]
    inner = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + inner + last


def michalewicz(x: Vector) -> float:
    return -sum(
        math.sin(v) * math.sin(place * v * v / math.pi) ** 20 for place, v in enumerate(x, start=1)
    )


def rosenbrock(x: Vector) -> float:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))


def rastrigin(x: Vector) -> float:
    return 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def ackley(x: Vector) -> float:
    squares = math.sqrt(sum(v * v for v in x) / len(x))
    waves = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * squares) - math.exp(waves)


def griewank(x: Vector) -> float:
    waves = math.prod(math.cos(v / math.sqrt(place)) for place, v in enumerate(x, start=1))
    return 1 + sum(v * v for v in x) / 4000 - waves


def zakharov(x: Vector) -> float:
    weighted = sum(0.5 * place * v for place, v in enumerate(x, start=1))
    return sum(v * v for v in x) + weighted**2 + weighted**4


def dixon_price(x: Vector) -> float:
    rest = (
        place * (2 * b * b - a) ** 2 for place, (a, b) in enumerate(itertools.pairwise(x), start=2)
    )
    return (x[0] - 1) ** 2 + sum(rest)


def ellipsoid(x: Vector) -> float:
    """Squares whose weights go from 1 to 1,000, all about a quarter of the range."""
    last = len(x) - 1
    return sum(float(1000 ** (place / last)) * (v - 0.25) ** 2 for place, v in enumerate(x))


LOW_TUNING = (function("levy3", levy, [(-10, 10)] * 3, 0.0),)
LOW_HELD_OUT = (
    function("goldstein-price", goldstein_price, [(-2, 2)] * 2, 3.0),
    function("camel6", camel6, [(-3, 3), (-2, 2)], -1.0316284534898774),
    function("hartmann3", hartmann3, [(0, 1)] * 3, -3.86278214782076),
    function("shekel10", shekel, [(0, 10)] * 4, -10.536443153483534),
    function("styblinski-tang4", styblinski_tang, [(-5, 5)] * 4, 4 * -39.16616570377142),
    function("michalewicz5", michalewicz, [(0, math.pi)] * 5, -4.687658179),
    function("dixon-price6", dixon_price, [(-10, 10)] * 6, 0.0),
)
HIGH_TUNING = (
    function("rosenbrock10", rosenbrock, [(-5, 10)] * 10, 0.0),
    function("rastrigin8", rastrigin, [(-4, 5.12)] * 8, 0.0),
    function("ackley20", ackley, [(-20, 32.768)] * 20, 0.0),
)
HIGH_HELD_OUT = (
    function("griewank8", griewank, [(-300, 600)] * 8, 0.0),
    function("levy10", levy, [(-10, 10)] * 10, 0.0),
    function("zakharov12", zakharov, [(-5, 10)] * 12, 0.0),
    function("dixon-price16", dixon_price, [(-10, 10)] * 16, 0.0),
    function("styblinski-tang20", styblinski_tang, [(-5, 5)] * 20, 20 * -39.16616570377142),
    function("ellipsoid20", ellipsoid, [(0, 1)] * 20, 0.0),
)
