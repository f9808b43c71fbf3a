"""Totals, the best and the log of one experiment, folded from the pages of its trials.

Where a position of the log has no entry its trial's resource was deleted by hand;
the place is kept, so that positions mean the same for ever.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice

from ...api.history import Dropped, Entry, Finished, Proposed
from ...api.objective import Objective
from ...api.states import TrialState
from ...db.records import Totals
from .page import Page

BEST = 5
"""How many of the best trials are known."""

NOBODY = -1
"""The index in an entry of which no resource tells any more."""


class Tally:
    """Kept entry by entry, and folded anew from `pages` where something is taken out.

    `proposed` trials there were at least: some may have no resource any more.
    `min_delta` is how much better than the best counts as better.
    """

    def __init__(self, pages: Mapping[int, Page], objective: Objective, proposed: int) -> None:
        self.objective = objective
        self.min_delta = 0.0
        self.proposed = proposed
        self.log: list[Entry] = []
        self.unfinished: set[int] = set()
        self._pages = pages
        self._best: list[tuple[float, int]] = []
        self._observed = self._dropped = self._since_improvement = self._unbegun = 0
        self._in_state: dict[TrialState, dict[int, None]] = {}

    @property
    def best(self) -> Sequence[int]:
        """The best trials, the best first."""
        return [index for _, index in self._best]

    @property
    def next_position(self) -> int:
        return len(self.log) + 1

    def fold(self) -> None:
        """Begin anew, from what the pages say."""
        self.log.clear()
        self.unfinished.clear()
        self._best.clear()
        self._observed = self._dropped = self._since_improvement = self._unbegun = 0
        for entry in _log_of(self._pages.values()):
            self.add(entry)
        self._in_state = {state: {} for state in TrialState}
        for page in sorted(self._pages.values(), key=_came_into_its_state):
            self._in_state[page.record.state][page.record.index] = None

    def copied(self, pages: Mapping[int, Page]) -> "Tally":
        """Return another that goes on from here, with pages of its own."""
        other = copy(self)
        other._pages = pages
        other.log, other.unfinished = [*self.log], {*self.unfinished}
        other._best = [*self._best]
        other._in_state = {state: {**there} for state, there in self._in_state.items()}
        return other

    def add(self, entry: Entry) -> None:
        """Take in the next entry; the page that it is about is there."""
        self.log.append(entry)
        match entry:
            case Proposed(index=index):
                self.proposed = max(self.proposed, index + 1)
                self.unfinished.add(index)
            case Finished(index=index):
                self.unfinished.discard(index)
                page = self._pages[index]
                if entry.state is TrialState.KILLED and page.record.attempt is None:
                    self._unbegun += 1
                elif page.dropped_at is None:
                    self._rank(entry)
            case Dropped():
                self._dropped += 1  # what it takes out was never put in

    def passed(self, index: int, old: TrialState | None, new: TrialState) -> None:
        """Take note that a trial came from one state, or none, into another."""
        if old is not None:
            del self._in_state[old][index]
        self._in_state[new][index] = None

    def latest(self, count: int) -> Mapping[TrialState, Sequence[int]]:
        """Return the trials that came last into each state."""
        return {
            state: list(islice(reversed(there), count))[::-1]
            for state, there in self._in_state.items()
            if there
        }

    def totals(self) -> Totals:
        by_state = {state: len(there) for state, there in self._in_state.items()}
        # Deleting a trial's resource has ended it.
        by_state[TrialState.KILLED] += self.proposed - len(self._pages) - self._unbegun
        return Totals(
            proposed=self.proposed,
            by_state=by_state,
            observed=self._observed,
            since_improvement=self._since_improvement,
            dropped=self._dropped,
            position=len(self.log),
            unbegun=self._unbegun,
        )

    def _rank(self, entry: Finished) -> None:
        self._observed += entry.value is not None
        loss = entry.loss(self.objective)
        best = self._best[0][0] if self._best else None
        improves = loss is not None and (best is None or best - loss > self.min_delta)
        self._since_improvement = 0 if improves else self._since_improvement + 1
        if loss is not None:
            # Of equals the one that was made earlier is better, as in a store.
            bisect.insort(self._best, (loss, entry.index))
            del self._best[BEST:]


def _came_into_its_state(page: Page) -> tuple[float, int]:
    record = page.record
    return (record.finished_at or record.started_at or record.created_at, record.index)


def _log_of(pages: Iterable[Page]) -> Iterator[Entry]:
    """Yield the log that pages carry; what is missing in it was taken out."""
    by_position: dict[int, Entry] = {}
    for page in pages:
        by_position[page.position] = page.proposed
        if page.finished is not None:
            by_position[page.finished.position] = page.finished
        if page.dropped_at is not None:
            by_position[page.dropped_at] = Dropped(page.dropped_at, page.record.index)
    for position in range(1, max(by_position, default=0) + 1):
        yield by_position.get(position) or Dropped(position, NOBODY)
