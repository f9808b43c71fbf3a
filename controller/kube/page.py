"""What a book is made of: a trial as its resource has it, and what no resource has yet."""

from dataclasses import dataclass, field

from ...api.conditions import Conditions
from ...api.history import Finished
from ...db.records import TrialRecord


@dataclass(frozen=True, slots=True)
class Page:
    """A trial as its resource has it. `uid` is the resource's, empty until it is created.

    `dropped_at` is the position of the entry that took it out.
    """

    record: TrialRecord
    position: int
    conditions: Conditions = ()
    finished: Finished | None = None
    dropped_at: int | None = None
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of what happened to a trial, or to the experiment itself."""

    kind: str
    reason: str
    message: str
    index: int | None


@dataclass(slots=True)
class Unwritten:
    """What the resources do not have yet."""

    trials: set[int] = field(default_factory=set)
    spec: bool = False
    status: bool = False
    answered: set[int] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)

    @property
    def is_left(self) -> bool:
        return bool(self.trials or self.spec or self.status or self.answered)
