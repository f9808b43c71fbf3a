"""What trials tell together: which count, the best so far, how much each parameter matters.

The page computes the same in the browser (`ui/static/chart_data.js`, `chart_importance.js`); a
test holds the two to the same numbers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from ..api.compile import search_space
from ..api.excerpts import objective_of
from ..api.experiment import ExperimentSpec
from ..api.objective import Direction, Objective
from ..api.pareto import front
from ..api.space import Parameter
from .values import Trial

Bin: TypeAlias = int | str | None
"""What puts trials together; None where the parameter is inactive."""

_LEAST_IN_A_BIN = 4
_MOST_BINS = 8
_ENDED_WELL = frozenset({"Succeeded", "EarlyStopped"})
_NOTHING = 1e-12  # a spread that is no more than rounding


@dataclass(frozen=True)
class Findings:
    """The trials of an experiment's document, in the order of their index."""

    document: Mapping[str, Any]
    trials: Sequence[Trial]

    @cached_property
    def objective(self) -> Objective:
        return objective_of(self.document)

    @cached_property
    def parameters(self) -> Sequence[Parameter]:
        return search_space(ExperimentSpec.read(self.document["spec"])).parameters

    @cached_property
    def directions(self) -> Mapping[str, Direction]:
        """By the name of each objective, the first one first."""
        further = {each.metric.name: each.direction for each in self.objective.further}
        return {self.objective.metric.name: self.objective.direction, **further}

    def named(self, metric: str | None) -> str:
        """Return the name of an objective, the first one's where none is asked for.

        Raises:
            ValueError: it is no objective.
        """
        name = metric or self.objective.metric.name
        if name not in self.directions:
            raise ValueError(
                f"{name} is not an objective: name one of {', '.join(self.directions)}"
            )
        return name

    def value(self, trial: Trial, metric: str) -> float | None:
        """Return a trial's value of an objective."""
        return trial.value if metric == self.objective.metric.name else trial.metrics.get(metric)

    def counted(self, metric: str) -> list[tuple[Trial, float]]:
        """Return the trials that ended well and kept every constraint, with their values."""
        valued = (
            (trial, self.value(trial, metric)) for trial in self.trials if self._counts(trial)
        )
        return [
            (trial, value) for trial, value in valued if value is not None and math.isfinite(value)
        ]

    def _counts(self, trial: Trial) -> bool:
        return (
            trial.state in _ENDED_WELL
            and not trial.data.get("dropped")
            and trial.value is not None
            and not math.isnan(trial.value)
            and not self.objective.broken(trial.value, trial.metrics)
        )

    def best_so_far(self, metric: str) -> list[tuple[int, float]]:
        """Return the best value after each trial that bettered it, in the order of their ends."""
        sign = self._sign(metric)
        steps: list[tuple[int, float]] = []
        furthest = -1
        for trial, value in sorted(self.counted(metric), key=lambda each: _ended(each[0])):
            furthest = max(furthest, trial.index)
            if not steps or sign * value < sign * steps[-1][1]:
                steps.append((furthest, value))
        if steps and self.trials[-1].index > steps[-1][0]:
            steps.append((self.trials[-1].index, steps[-1][1]))
        return steps

    def ordered(self, metric: str) -> list[tuple[Trial, float]]:
        """Return the trials that count, from the best to the worst."""
        sign = self._sign(metric)
        return sorted(self.counted(metric), key=lambda each: sign * each[1])

    def importance(self, metric: str) -> dict[str, float]:
        """Return the share of the variance of the value's rank that each parameter explains.

        By itself: the correlation ratio over quantiles or choices, corrected for their number
        (the epsilon squared of Kelley 1935). The greatest comes first.
        """
        counted = self.counted(metric)
        rank = ranks([value for _, value in counted])
        shares = {
            parameter.name: explained(
                rank,
                bins([trial.parameters.get(parameter.name) for trial, _ in counted], parameter),
            )
            for parameter in self.parameters
        }
        return dict(sorted(shares.items(), key=lambda each: -each[1]))

    def front(self, metrics: Sequence[str]) -> list[Trial]:
        """Return the trials that no other betters in all of some objectives, by the first one."""
        valued = [
            (
                trial,
                tuple(self._sign(name) * value for name, value in zip(metrics, found, strict=True)),
            )
            for trial, *found in self.together(metrics)
        ]
        return [valued[place][0] for place in front([losses for _, losses in valued])]

    def together(self, metrics: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return each trial that counts in all of some objectives, with its values of them."""
        columns = [{trial.index: value for trial, value in self.counted(name)} for name in metrics]
        return [
            (trial, *(column[trial.index] for column in columns))
            for trial in self.trials
            if all(trial.index in column for column in columns)
        ]

    def _sign(self, metric: str) -> int:
        return 1 if self.directions[metric] is Direction.MINIMIZE else -1


def ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 0 (the least) to 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    scale = max(len(values) - 1, 1)
    found = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for place in order[begin : end + 1]:
            found[place] = (begin + end) / 2 / scale
        begin = end + 1
    return found


def bins(values: Sequence[Any], parameter: Parameter) -> list[Bin]:
    """Put values into bins: by choice, or by quantiles of a number."""
    if not parameter.is_numeric:
        return [None if value is None else str(value) for value in values]
    numbers = sorted(value for value in values if value is not None)
    count = max(2, min(_MOST_BINS, len(numbers) // _LEAST_IN_A_BIN))
    edges = [numbers[k * len(numbers) // count] for k in range(1, count)] if numbers else []
    return [None if value is None else sum(value >= edge for edge in edges) for value in values]


def explained(rank: Sequence[float], bin_of: Sequence[Bin]) -> float:
    groups: dict[Bin, list[float]] = {}
    for each, place in zip(rank, bin_of, strict=True):
        groups.setdefault(place, []).append(each)
    freedom, total = len(rank) - len(groups), _spread(rank)
    if freedom <= 0 or total <= _NOTHING:
        return 0.0
    inside = sum(map(_spread, groups.values()))
    return min(1.0, max(0.0, 1 - inside / freedom / (total / (len(rank) - 1))))


def _spread(values: Iterable[float]) -> float:
    held = list(values)
    return sum(value**2 for value in held) - sum(held) ** 2 / len(held) if held else 0.0


def _ended(trial: Trial) -> float:
    return float(trial.data.get("finished_at") or 0.0)
