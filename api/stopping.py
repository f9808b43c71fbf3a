"""Early stopping, as the store sees it.

The store knows no rule: it is handed an `Evaluator`, asks it at every report of
the objective, and writes the stop with the observation that caused it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .objective import Objective
from .observation import Observation


@dataclass(frozen=True)
class StoppingRule:
    """Katib's `earlyStopping`: a rule by name, with its settings as text.

    A rule with an `endpoint` is a plug-in's.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of the objective by a running trial, and its log so far.

    `reports` counts the trial's reports up to this one, `mean` is their running
    average, `best` the best of them by the objective's direction. NaN reports
    count, but enter neither; `nans` is how many there are.
    """

    index: int
    attempt: int
    reports: int
    value: float
    mean: float
    best: float
    nans: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """A trial that should end, and why; the reason is shown to people."""

    index: int
    attempt: int
    reason: str


class CurveLog(Protocol):
    """What an evaluator may ask about the other trials of an experiment."""

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        """Return the log's end, and the trials that succeeded after `position`, in order.

        With those that were `early_stopped` on wish.
        """
        ...

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        """Return the trial's running averages, of its last attempt, by counts of reports.

        Those after `reports` reports, as far as it made so many, and the last.
        """
        ...

    def observation(self, uid: str, index: int) -> Observation:
        """Return the summaries of all metrics that the trial's last attempt reported so far."""
        ...


class Evaluator(Protocol):
    """Decides which running trials stop.

    It waits for nobody: it is called within a transaction, in an engine's event loop. What
    a service thinks is asked for in another thread, and told when it has come.

    Two replicas that have read the same log decide alike; a cache may be a
    second behind the log. One that raises stops nobody, and is told of as a
    Warning of the trial.
    """

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]: ...
