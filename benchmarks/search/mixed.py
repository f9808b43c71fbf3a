"""Spaces of lists, whole numbers and conditions, with losses whose least value is known.

They behave as training does: a rate on a logarithmic scale that suits an optimizer, choices
that matter more than numbers, parameters that exist only with others.
"""

import math
from decimal import Decimal

from search.functions import ackley, hartmann3, rosenbrock
from tunewright.api.space import (
    Distribution,
    Parameter,
    ParameterCondition,
    ParameterKind,
    Point,
    SearchSpace,
)
from tunewright.suggestion.plugin.problems import Challenge


def double(name: str, low: float, high: float, *, log: bool = False) -> Parameter:
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    ends = Decimal(str(low)), Decimal(str(high))
    return Parameter(name, ParameterKind.DOUBLE, *ends, distribution=distribution)


def whole(name: str, low: int, high: int, step: int = 1, *, log: bool = False) -> Parameter:
    distribution = Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
    ends = Decimal(low), Decimal(high), Decimal(step)
    return Parameter(name, ParameterKind.INT, *ends, distribution=distribution)


def listed(name: str, *choices: str, discrete: bool = False) -> Parameter:
    kind = ParameterKind.DISCRETE if discrete else ParameterKind.CATEGORICAL
    return Parameter(name, kind, choices=choices)


def space(*parameters: Parameter, conditions: tuple[ParameterCondition, ...] = ()) -> SearchSpace:
    return SearchSpace(parameters, conditions)


def _log(point: Point, name: str) -> float:
    return math.log10(float(point[name]))


_SCRAMBLED = {"a": 0.5, "b": -1.0, "c": 0.0, "d": 1.0, "e": -0.5}


def _categorical_ackley(point: Point) -> float:
    return ackley([_SCRAMBLED[v] if v in _SCRAMBLED else float(v) for v in point.values()])


def _integer_rosenbrock(point: Point) -> float:
    return rosenbrock([float(value) for value in point.values()])


_KERNELS = {"flat": (0.0, 0.0, 0.0), "left": (-0.2, 0.1, 0.0), "right": (0.1, 0.0, -0.1)}


def _shifted_hartmann(point: Point) -> float:
    """Hartmann's function in three dimensions, moved by one choice and raised by another."""
    moved = _KERNELS[str(point["kernel"])]
    at = [float(point[f"x{place}"]) + shift for place, shift in enumerate(moved)]
    return hartmann3(at) + {"low": 0.0, "middle": 0.2, "high": 0.5}[str(point["floor"])]


_SUITS = {"sgd": -1.5, "adam": -3.0, "lion": -4.0}
_COSTS = {"sgd": 0.02, "adam": 0.0, "lion": 0.01}
_BENDS = {"relu": 0.01, "gelu": 0.0, "tanh": 0.03, "sigmoid": 0.08}


def _network(point: Point) -> float:
    """A rate that grows with the batch and depends on the optimizer; more layers want decay."""
    optimizer, batch, layers = (
        str(point["optimizer"]),
        float(point["batch"]),
        float(point["layers"]),
    )
    rate = _log(point, "rate") - _SUITS[optimizer] - 0.5 * math.log10(batch / 64)
    decay = _log(point, "decay") + 4 - 0.2 * (layers - 5)
    return (
        0.1
        + 0.06 * rate**2
        + 0.01 * decay**2
        + 0.004 * (layers - 5) ** 2
        + 0.005 * math.log2(batch / 64) ** 2
        + 0.2 * (float(point["dropout"]) - 0.15) ** 2
        + _COSTS[optimizer]
        + _BENDS[str(point["activation"])]
    )


_DISHES = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8)


def _menu(point: Point) -> float:
    """A table of 72 points, without any order that a model could learn but one."""
    dish = _DISHES[int(point["dish"]) - 1]
    sauce = {"red": 2.0, "green": 0.5, "white": 1.0}[str(point["sauce"])]
    return dish * sauce + abs(float(point["size"]) - 2)


def _forest(point: Point) -> float:
    """Trees: a depth and a share of features that suit each other."""
    return (
        0.05
        + 0.002 * (float(point["depth"]) - 4 - 10 * float(point["share"])) ** 2
        + 0.1 * (float(point["share"]) - 0.6) ** 2
        + 0.03 * (math.log2(float(point["trees"]) / 200)) ** 2
        + {"gini": 0.0, "entropy": 0.01, "log-loss": 0.015}[str(point["criterion"])]
    )


def _either(point: Point) -> float:
    """One of three models, each with parameters of its own."""
    if point["model"] == "svm":
        return 0.08 + 0.02 * (_log(point, "cost") - 1) ** 2 + 0.03 * (_log(point, "gamma") + 2) ** 2
    if point["model"] == "boost":
        rate, trees = _log(point, "rate") + 1.2, math.log2(float(point["trees"])) - 7
        return 0.05 + 0.05 * (rate + 0.3 * trees) ** 2 + 0.01 * trees**2
    return 0.1 + 0.002 * (float(point["neighbours"]) - 9) ** 2


_EITHER = space(
    listed("model", "svm", "boost", "neighbours"),
    double("cost", 0.001, 1000, log=True),
    double("gamma", 0.00001, 10, log=True),
    double("rate", 0.001, 1, log=True),
    whole("trees", 8, 1024, log=True),
    whole("neighbours", 1, 50),
    conditions=(
        ParameterCondition("cost", "model", ("svm",)),
        ParameterCondition("gamma", "model", ("svm",)),
        ParameterCondition("rate", "model", ("boost",)),
        ParameterCondition("trees", "model", ("boost",)),
        ParameterCondition("neighbours", "model", ("neighbours",)),
    ),
)


def _nested(point: Point) -> float:
    """Momentum exists only with sgd, its kind only where it is used; a rate suits what there is."""
    suits, floor = -3.0, 0.05
    if point["optimizer"] == "sgd":
        suits, floor = -1.0, 0.09
        if point["momentum"] == "yes":
            share = float(point["share"])
            suits, floor = -1.0 - share, 0.04 + 0.5 * (share - 0.9) ** 2
            floor -= 0.01 if point["nesterov"] == "yes" else 0.0
    return (
        floor + 0.03 * (_log(point, "rate") - suits) ** 2 + 0.1 * (float(point["drop"]) - 0.3) ** 2
    )


_NESTED = space(
    listed("optimizer", "adam", "sgd"),
    double("rate", 0.00001, 1, log=True),
    double("drop", 0, 0.9),
    listed("momentum", "no", "yes"),
    double("share", 0, 0.99),
    listed("nesterov", "no", "yes"),
    conditions=(
        ParameterCondition("momentum", "optimizer", ("sgd",)),
        ParameterCondition("share", "momentum", ("yes",)),
        ParameterCondition("nesterov", "momentum", ("yes",)),
    ),
)


def _layers(point: Point) -> float:
    """As many widths as layers; the best network has two, the second narrower than the first."""
    count = int(point["layers"])
    wanted = (192.0, 96.0, 48.0)
    widths = [float(point[f"width{place}"]) for place in range(count)]
    uneven = sum(
        math.log2(width / best) ** 2 for width, best in zip(widths, wanted[:count], strict=True)
    )
    return (
        0.1
        + 0.02 * uneven / count
        + {1: 0.06, 2: 0.0, 3: 0.02}[count]
        + 0.03 * (_log(point, "rate") + 2.5) ** 2
    )


_LAYERS = space(
    listed("layers", "1", "2", "3", discrete=True),
    double("rate", 0.00001, 1, log=True),
    whole("width0", 8, 1024, log=True),
    whole("width1", 8, 1024, log=True),
    whole("width2", 8, 1024, log=True),
    conditions=(
        ParameterCondition("width1", "layers", ("2", "3")),
        ParameterCondition("width2", "layers", ("3",)),
    ),
)

MIXED_TUNING = (
    Challenge(
        "integer-rosenbrock",
        space(whole("a", -5, 10), double("b", -5, 10), whole("c", -5, 10), double("d", -5, 10)),
        _integer_rosenbrock,
        0.0,
    ),
)
MIXED_HELD_OUT = (
    Challenge(
        "categorical-ackley",
        space(
            *(listed(f"c{place}", *_SCRAMBLED) for place in range(3)),
            double("x0", -1, 1.6),
            double("x1", -1.6, 1),
        ),
        _categorical_ackley,
        0.0,
    ),
    Challenge(
        "shifted-hartmann",
        space(
            *(double(f"x{place}", 0, 1) for place in range(3)),
            listed("kernel", *_KERNELS),
            listed("floor", "high", "low", "middle"),
        ),
        _shifted_hartmann,
        -3.86278214782076,
    ),
    Challenge(
        "network",
        space(
            double("rate", 0.000001, 1, log=True),
            double("decay", 0.0000001, 0.1, log=True),
            listed("batch", "16", "32", "64", "128", "256", discrete=True),
            whole("layers", 1, 10),
            double("dropout", 0, 0.6),
            listed("activation", *_BENDS),
            listed("optimizer", *_SUITS),
        ),
        _network,
        0.1,
    ),
    Challenge(
        "forest",
        space(
            whole("depth", 2, 30),
            double("share", 0.05, 1),
            whole("trees", 10, 1000, log=True),
            listed("criterion", "entropy", "gini", "log-loss"),
        ),
        _forest,
        0.05,
    ),
    Challenge(
        "menu",
        space(
            whole("dish", 1, 12),
            listed("sauce", "red", "green", "white"),
            listed("size", "1", "2", discrete=True),
        ),
        _menu,
        0.5,
    ),
)
CONDITIONAL_TUNING = (Challenge("either", _EITHER, _either, 0.05),)
CONDITIONAL_HELD_OUT = (
    Challenge("nested", _NESTED, _nested, 0.03),
    Challenge("layers", _LAYERS, _layers, 0.1),
)
