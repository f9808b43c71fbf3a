"""A trial as the models see it."""

from dataclasses import dataclass

from ....api.pareto import Losses
from .kernel import Array


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that ended; `losses` are () when it failed, or an objective has no number."""

    index: int
    row: Array
    losses: Losses
    deviation: float | None
