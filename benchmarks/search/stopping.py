"""What early stopping saves and what it costs, on learning curves of real networks.

The curves of `stopping_curves.json` are replayed one trial after the other in an order of
each seed; every report goes to the rule as the store would send it. Saved: the part of all
epochs that was not trained. Lost: how much worse the best error of what was seen is than
the best of all curves, in percentage points. The rival is a rule that knows nothing: it
stops each trial by chance after a third of its epochs, and lets as many run as medianstop does.
"""

import json
import math
import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.stopping import Progress, StoppingRule
from tunewright.suggestion.early_stopping.registry import Rules

CURVES = Path(__file__).parent / "stopping_curves.json"
ERROR = Objective(Metric("error", Strategy.MIN), Direction.MINIMIZE)
CHANCE = "by chance"
RULES: Sequence[StoppingRule] = (
    StoppingRule("medianstop"),
    StoppingRule("percentile", {"percentile": "25"}),
    StoppingRule("asha", {"r_min": "2"}),
    StoppingRule("plateau", {"patience": "4", "min_delta": "0.5"}),
    StoppingRule("threshold", {"bound": "50", "start_step": "8", "stop_on_nan": "true"}),
)


class Log:
    """The trials so far, by the values that they reported."""

    def __init__(self) -> None:
        self.values: list[list[float]] = []
        self.ended: list[tuple[int, bool]] = []

    def ended_since(
        self, _uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Iterable[int]]:
        new = self.ended[position:]
        return len(self.ended), [index for index, full in new if full or early_stopped]

    def running_means(self, _uid: str, index: int, reports: Sequence[int]) -> Mapping[int, float]:
        seen = self.values[index]
        return {n: mean(seen[:n]) for n in {*reports, len(seen)} if 1 <= n <= len(seen)}


def mean(values: Sequence[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def replay(rule: StoppingRule, curves: Sequence[Sequence[float]]) -> list[int]:
    """Return how many epochs of each curve are trained under a rule."""
    ticks = iter(range(10**9))
    rules, log = Rules(lambda: float(next(ticks))), Log()
    for index, curve in enumerate(curves):
        seen: list[float] = []
        log.values.append(seen)
        stopped = False
        for value in curve:
            seen.append(value)
            best = min((each for each in seen if not math.isnan(each)), default=math.nan)
            report = Progress(index, 1, len(seen), value, mean(seen), best)
            if rules.evaluate("curves", rule, ERROR, [report], log):
                stopped = True
                break
        log.ended.append((index, not stopped))
    return [len(seen) for seen in log.values]


def by_chance(seed: int, curves: Sequence[Sequence[float]], full: int) -> list[int]:
    """Train `full` of the curves to their end, and the others a third of it."""
    chosen = set(random.Random(seed).sample(range(len(curves)), full))
    return [
        len(curve) if place in chosen else len(curve) // 3 for place, curve in enumerate(curves)
    ]


def saved(curves: Sequence[Sequence[float]], epochs: Sequence[int]) -> float:
    """Return the part of all epochs that was not trained, in percent."""
    return 100 * (1 - sum(epochs) / sum(map(len, curves)))


def lost(curves: Sequence[Sequence[float]], epochs: Sequence[int]) -> float:
    """Return how much worse the best that was seen is than the best of all."""
    trained = [curve[:count] for curve, count in zip(curves, epochs, strict=True)]
    return best_of(trained) - best_of(curves)


def best_of(curves: Sequence[Sequence[float]]) -> float:
    return min(value for curve in curves for value in curve if not math.isnan(value))


def main(*, quick: bool) -> str:
    every = json.loads(CURVES.read_text(encoding="utf-8"))
    seeds = range(3 if quick else 30)
    figures: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        curves = random.Random(seed).sample(every, len(every) // 2)
        for rule in RULES:
            epochs = replay(rule, curves)
            name = rule.name + "".join(f", {key} {value}" for key, value in rule.settings.items())
            figures.setdefault(name, []).append((saved(curves, epochs), lost(curves, epochs)))
            if rule.name == "medianstop":
                full = sum(count == len(curve) for count, curve in zip(epochs, curves, strict=True))
                rival = by_chance(seed, curves, full)
                figures.setdefault(CHANCE, []).append((saved(curves, rival), lost(curves, rival)))
    rows = [
        f"| {name} | {spread([a for a, _ in found], 0)} | {spread([b for _, b in found], 2)} |"
        for name, found in figures.items()
    ]
    said = (
        f"{len(every)} curves of {len(every[0])} epochs: validation error, in percent, of small "
        f"networks on digits. Half of them for each of {len(seeds)} seeds; median (quartiles)."
    )
    head = ("| rule | epochs saved, % | best error lost, points |", "|---|---|---|")
    return "\n".join((said, "", *head, *rows))


def spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
