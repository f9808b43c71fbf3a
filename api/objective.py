"""What is better, and how one value is taken from a trial's log."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from .observation import Observation, Summary, TextValue


class Direction(StrEnum):
    """Katib's `objective.type`."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Strategy(StrEnum):
    """Which of a metric's values stands for the trial."""

    MIN = "min"
    MAX = "max"
    LATEST = "latest"

    def take(self, summary: Summary) -> float:
        """Return the value; of what was never a number, the text that came last."""
        taken = {
            Strategy.MIN: summary.min,
            Strategy.MAX: summary.max,
            Strategy.LATEST: summary.latest,
        }[self]
        is_text = math.isnan(taken) and isinstance(summary.latest, TextValue)
        return summary.latest if is_text else taken


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is asked for: its name and how its value is taken."""

    name: str
    strategy: Strategy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to.

    Of a point that ran several times, `value` is the mean, or the last text. `values` holds
    the other metrics; `deviation` is the sample standard deviation of the objective, None
    where it was seen less than twice. `broken` says which constraint is not kept, "" when
    all are.
    """

    value: float | None
    values: tuple[tuple[str, float], ...] = ()
    deviation: float | None = None
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Further:
    """One more metric to make better."""

    metric: Metric
    direction: Direction
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """Where a metric must lie for its trial to be a good one; both ends belong to it."""

    metric: Metric
    low: float = -math.inf
    high: float = math.inf

    def broken(self, value: float | None) -> str:
        """Say how a value breaks it, "" when it keeps it. What was not seen, or NaN, breaks it."""
        name = self.metric.name
        if value is None:
            return f"{name} was not reported"
        if value < self.low:
            return f"{name} {value:g} is less than {self.low:g}"
        if value > self.high:
            return f"{name} {value:g} is more than {self.high:g}"
        return f"{name} is NaN" if math.isnan(value) else ""


@dataclass(frozen=True, slots=True)
class Objective:
    """The first objective: what "best" means, and which metrics stand beside it.

    A trial that reaches every `goal` that is given, its own and those of the further
    ones, ends the experiment. `additional` metrics are collected; the `further`
    ones and those of `constraints` are collected too.
    """

    metric: Metric
    direction: Direction
    goal: float | None = None
    additional: tuple[Metric, ...] = ()
    further: tuple[Further, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @property
    def others(self) -> tuple[Metric, ...]:
        """Every metric to collect beside the objective, each once."""
        metrics = (
            *self.additional,
            *(each.metric for each in self.further),
            *(each.metric for each in self.constraints),
        )
        return tuple(dict.fromkeys(each for each in metrics if each != self.metric))

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric to collect, the objective first."""
        return (self.metric.name, *(metric.name for metric in self.others))

    def value(self, observation: Observation) -> float | None:
        """Take the objective's value; None when it was never seen. NaN is a value."""
        summary = observation.get(self.metric.name)
        return None if summary is None else self.metric.strategy.take(summary)

    def outcome(self, runs: Sequence[Observation]) -> Outcome:
        """Return what one run, or several of the same point, came to."""
        seen = [value for run in runs if (value := self.value(run)) is not None]
        means = [(metric.name, _mean(_taken(metric, runs))) for metric in self.others]
        value, values = _mean(seen), tuple((name, mean) for name, mean in means if mean is not None)
        return Outcome(value, values, _deviation(seen), self.broken(value, dict(values)))

    def broken(self, value: float | None, values: Mapping[str, float]) -> str:
        """Say which constraint a trial of these values does not keep, "" when it keeps all."""
        if not self.constraints:
            return ""
        found = {**values} if value is None else {self.metric.name: value, **values}
        broken = (each.broken(found.get(each.metric.name)) for each in self.constraints)
        return next(filter(None, broken), "")

    def better(self, value: float | None, than: float | None) -> bool:
        """Say whether `value` is strictly better. What is not finite, or None, is never better."""
        if value is None or not math.isfinite(value):
            return False
        if than is None or not math.isfinite(than):
            return True
        return value < than if self.direction is Direction.MINIMIZE else value > than

    def reaches_goal(
        self, value: float | None, values: Mapping[str, float] = MappingProxyType({})
    ) -> bool:
        """Say whether one trial reaches every goal that is given; only a finite value can."""
        wanted = [
            (self.direction, self.goal, value),
            *((each.direction, each.goal, values.get(each.metric.name)) for each in self.further),
        ]
        given = [one for one in wanted if one[1] is not None]
        return bool(given) and all(_reaches(*one) for one in given)

    def loss(self, value: float) -> float:
        """Turn a value so that smaller is better."""
        return value if self.direction is Direction.MINIMIZE else -value

    def losses(self, value: float | None, values: Mapping[str, float]) -> tuple[float, ...] | None:
        """Return every objective so that smaller is better; None where one is no finite number."""
        found = [value, *(values.get(each.metric.name) for each in self.further)]
        directions = (self.direction, *(each.direction for each in self.further))
        if any(each is None or not math.isfinite(each) for each in found):
            return None
        return tuple(
            each if direction is Direction.MINIMIZE else -each
            for each, direction in zip(found, directions, strict=True)
            if each is not None
        )


def _reaches(direction: Direction, goal: float | None, value: float | None) -> bool:
    if goal is None or value is None or not math.isfinite(value):
        return False
    return value <= goal if direction is Direction.MINIMIZE else value >= goal


def _taken(metric: Metric, runs: Sequence[Observation]) -> list[float]:
    return [metric.strategy.take(run[metric.name]) for run in runs if metric.name in run]


def _mean(values: Sequence[float]) -> float | None:
    if values and isinstance(values[-1], TextValue):
        return values[-1]
    return sum(values) / len(values) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    mean = _mean(values)
    if mean is None or isinstance(mean, TextValue) or len(values) < 2:
        return None
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
