"""The families of problems, and in each those that were tuned on and those that were held out.

Nobody sets a constant of an algorithm, or chooses one, by what it does on a problem that is
held out: those say what a search is worth on problems that it was not made for. The problems
of `plugin bench` are tuned on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from search import fronts, functions, mixed, models
from tunewright.suggestion.plugin.problems import CHALLENGES, Challenge


@dataclass(frozen=True, slots=True)
class Family:
    """Problems of one kind, and the circumstances in which they are searched.

    `noise` is the standard deviation of what is added to a loss, by the problem's name;
    `failing` is the share of trials that fail, whatever their point; `parallel` is how many
    trials run at once.
    """

    title: str
    tuning: tuple[Challenge, ...]
    held_out: tuple[Challenge, ...]
    noise: Mapping[str, float] = field(default_factory=dict)
    failing: float = 0.0
    parallel: int = 1


_LOW_TUNING = (
    *(CHALLENGES[name] for name in ("branin", "hartmann6", "rosenbrock5", "rastrigin5")),
    *functions.LOW_TUNING,
)
_HIGH_TUNING = (CHALLENGES["ackley10"], *functions.HIGH_TUNING)
_MIXED_TUNING = (CHALLENGES["training"], *mixed.MIXED_TUNING)
_BATCH_TUNING = (CHALLENGES["branin"], CHALLENGES["hartmann6"], CHALLENGES["ackley10"])
_BY_NAME = {
    each.name: each
    for each in (*functions.LOW_HELD_OUT, *functions.HIGH_HELD_OUT, *mixed.MIXED_HELD_OUT)
}


def _held_out(*names: str) -> tuple[Challenge, ...]:
    return tuple(_BY_NAME[name] for name in names)


_BATCHES = _held_out(
    "goldstein-price", "hartmann3", "shekel10", "dixon-price6", "griewank8", "levy10", "network"
)

FAMILIES: Mapping[str, Family] = {
    "low": Family("2 to 6 dimensions", _LOW_TUNING, functions.LOW_HELD_OUT),
    "high": Family("8 to 20 dimensions", _HIGH_TUNING, functions.HIGH_HELD_OUT),
    "mixed": Family("lists and whole numbers", _MIXED_TUNING, mixed.MIXED_HELD_OUT),
    "conditional": Family(
        "conditional parameters", mixed.CONDITIONAL_TUNING, mixed.CONDITIONAL_HELD_OUT
    ),
    "noise": Family(
        "noise",
        (CHALLENGES["branin"], CHALLENGES["hartmann6"], CHALLENGES["rosenbrock5"]),
        _held_out("camel6", "hartmann3", "shekel10", "styblinski-tang4", "levy10", "network"),
        noise={
            "branin": 2.0,
            "hartmann6": 0.2,
            "rosenbrock5": 50.0,
            "camel6": 0.3,
            "hartmann3": 0.2,
            "shekel10": 0.5,
            "styblinski-tang4": 10.0,
            "levy10": 2.0,
            "network": 0.02,
        },
    ),
    "failing": Family(
        "a tenth of the trials fails",
        (CHALLENGES["branin"], CHALLENGES["hartmann6"], CHALLENGES["training"]),
        _held_out("goldstein-price", "hartmann3", "michalewicz5", "levy10", "network", "forest"),
        failing=0.1,
    ),
    "batch4": Family("4 trials at once", _BATCH_TUNING, _BATCHES, parallel=4),
    "batch16": Family("16 trials at once", _BATCH_TUNING, _BATCHES, parallel=16),
    "models": Family("models of scikit-learn", models.TUNING, models.HELD_OUT),
}
FRONTS: Mapping[str, tuple[fronts.TwoObjectives, ...]] = {
    "tuning": fronts.TUNING,
    "held out": fronts.HELD_OUT,
}
