"""What an engine tells whoever looks on: the live display, a page, a test."""

from dataclasses import dataclass
from typing import Protocol

from ..api.space import Point
from ..api.states import ExperimentState


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial with a workload. `metric` is the objective's latest report, None before the first."""

    index: int
    name: str
    attempt: int
    point: Point
    started_at: float | None
    metric: float | None
    step: int | None
    stopping: bool


@dataclass(frozen=True, slots=True)
class BestTrial:
    index: int
    name: str
    point: Point
    value: float


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """One trial that just ended, in the order of ending; `state` is a word of Katib's.

    `is_good`: it may be the best, for it keeps the constraints.
    """

    index: int
    name: str
    state: str
    reason: str
    message: str
    value: float | None
    is_good: bool
    point: Point


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An experiment at a moment. `seconds_left` is an estimate, None where there is none.

    `counts` holds the trials by state, `Running` and `Created` included.
    `waiting_for` says in lines what holds it up, empty when nothing does.
    """

    at: float
    state: ExperimentState
    reason: str
    message: str
    suspended: bool
    leaving: bool
    counts: tuple[tuple[str, int], ...]
    max_trials: int | None
    parallel_trials: int
    best: BestTrial | None
    running: tuple[RunningTrial, ...]
    active_seconds: float
    seconds_left: float | None
    waiting_for: tuple[str, ...]


class Observer(Protocol):
    """Looks on. Called on the event loop: it must return at once and never raise."""

    def snapshot(self, snapshot: Snapshot) -> None:
        """Take the newest picture; called when something changed, at most some times a second."""
        ...

    def finished(self, trial: FinishedTrial) -> None:
        """Take note of a trial that ended."""
        ...

    def event(self, at: float, kind: str, reason: str, message: str, *, trial: str | None) -> None:
        """Take note of one thing that happened; `kind` is Normal or Warning."""
        ...
