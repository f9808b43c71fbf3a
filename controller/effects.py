"""What a turn of the engine is given and what it comes to: events in, effects out.

Effects are what is to be done outside of the store, once it is recorded that it will be done.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from ..api.history import Finished, Proposal, Suggestion
from ..api.observation import Batch
from ..db.records import TrialRecord
from ..db.records import View as StoredView
from .brief import Brief
from .plan.view import View
from .ports import AttemptRef, Ended, Started


@dataclass(frozen=True, slots=True)
class Suggested:
    """An algorithm answered a question, made from the log up to `position`."""

    first_index: int
    position: int
    suggestion: Suggestion


Event: TypeAlias = Started | Ended | Suggested | Batch
"""What happened since the last turn, in order."""


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Start the workload; it is recorded as starting. `run` counts the point's runs from 0."""

    ref: AttemptRef
    proposal: Proposal
    run: int


@dataclass(frozen=True, slots=True)
class StopAttempt:
    ref: AttemptRef
    grace: float


@dataclass(frozen=True, slots=True)
class AskFor:
    first_index: int
    count: int
    position: int


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial has ended for good."""

    record: TrialRecord
    entry: Finished
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a person may want to read."""

    at: float
    kind: str
    reason: str
    message: str
    trial: str | None = None


Effect: TypeAlias = StartAttempt | StopAttempt | AskFor | TrialFinished | Noted


@dataclass(slots=True)
class Turn:
    """What a turn came to."""

    view: View
    stored: StoredView
    brief: Brief
    wake_at: float | None
    done: bool
    effects: list[Effect] = field(default_factory=list)
