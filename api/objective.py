"""What is better, and how one value is taken from a trial's log."""

import math
from dataclasses import dataclass
from enum import StrEnum

from .observation import Observation, Summary


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
        return {
            Strategy.MIN: summary.min,
            Strategy.MAX: summary.max,
            Strategy.LATEST: summary.latest,
        }[self]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is asked for: its name and how its value is taken."""

    name: str
    strategy: Strategy


@dataclass(frozen=True, slots=True)
class Objective:
    """The first objective: what "best" means. `goal` ends the experiment."""

    metric: Metric
    direction: Direction
    goal: float | None = None
    additional: tuple[Metric, ...] = ()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric to collect, the objective first."""
        return (self.metric.name, *(metric.name for metric in self.additional))

    def value(self, observation: Observation) -> float | None:
        """Take the objective's value; None when it was never seen. NaN is a value."""
        summary = observation.get(self.metric.name)
        return None if summary is None else self.metric.strategy.take(summary)

    def better(self, value: float | None, than: float | None) -> bool:
        """Say whether `value` is strictly better. NaN and None are never better."""
        if value is None or math.isnan(value):
            return False
        if than is None or math.isnan(than):
            return True
        return value < than if self.direction is Direction.MINIMIZE else value > than

    def reaches_goal(self, value: float | None) -> bool:
        if self.goal is None or value is None or math.isnan(value):
            return False
        return value <= self.goal if self.direction is Direction.MINIMIZE else value >= self.goal

    def loss(self, value: float) -> float:
        """Turn a value so that smaller is better."""
        return value if self.direction is Direction.MINIMIZE else -value
