"""What a book is made of: a trial as its resource has it, and what no resource has yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...api.conditions import Conditions
from ...api.history import Finished, Proposed
from ...db.records import TrialRecord

GAP = 10_000
"""How many trials may lack their resource beyond those that the experiment's status tells of."""

ENTRIES = 3
"""How many entries of a log are about one trial at most: its point, its end, its removal."""


@dataclass(frozen=True, slots=True)
class Page:
    """A trial as its resource has it. `uid` is the resource's, empty until it is created.

    `dropped_at` is the position of the entry that took it out. `is_of_space` is false where a
    hand wrote values that are none of the search space: its point is empty then.
    """

    record: TrialRecord
    position: int
    conditions: Conditions = ()
    finished: Finished | None = None
    dropped_at: int | None = None
    uid: str = ""
    is_of_space: bool = True

    @property
    def proposed(self) -> Proposed:
        """The entry of the log that tells of its point."""
        record = self.record
        return Proposed(self.position, record.index, record.proposal, record.made_from)

    @property
    def positions(self) -> Iterator[int]:
        """Where the log speaks of the trial."""
        yield self.position
        if self.finished is not None:
            yield self.finished.position
        if self.dropped_at is not None:
            yield self.dropped_at


def fitting(pages: Iterable[Page], known: int) -> list[Page]:
    """Return the pages that together are one log: of two that claim a place, the elder.

    Whoever may create Trials can write any number into one, and what a log costs grows with
    the greatest: one far beyond all others is left out. `known` trials there were at least.
    """
    by_age = sorted(pages, key=lambda page: (page.record.created_at, page.record.index))
    most = known + len(by_age) + GAP
    indexes, positions, found = set[int](), set[int](), []
    for page in by_age:
        index, places = page.record.index, set(page.positions)
        is_possible = index < most and all(0 < each <= ENTRIES * most for each in places)
        if (
            page.is_of_space
            and is_possible
            and index not in indexes
            and positions.isdisjoint(places)
        ):
            indexes.add(index)
            positions |= places
            found.append(page)
    return found


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
