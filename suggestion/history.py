"""The bookkeeping that most folds share.

`PointFold` keeps which points were seen and which are pending, gives an
algorithm the points of a batch as pending while the batch is made, and sees to
it that no point is proposed twice while the space has unseen ones.
"""

from abc import abstractmethod
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from ..api.history import (
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
    Verdict,
)
from ..api.objective import Objective
from ..api.pareto import Losses
from ..api.problem import Problem
from ..api.space import Point
from ..api.words import counted
from .algorithm import Fold, seed_of
from .cube import Cube
from .seeds import derive, generator

_Key = TypeVar("_Key", bound=Hashable)

_DRAWS = 256
_UNSEEN = 0x756E7365656E  # the path of draws among unseen points: no retry counts that far


class Seen(Generic[_Key]):
    """The points that were proposed, as keys; a dropped trial's point was never seen.

    With numbers as keys a hundred thousand trials fit into memory.
    """

    def __init__(self) -> None:
        self._by_index: dict[int, _Key] = {}
        self._times: dict[_Key, int] = {}

    def __len__(self) -> int:
        """Count the different points."""
        return len(self._times)

    def __contains__(self, key: _Key) -> bool:
        return key in self._times

    def of(self, index: int) -> _Key | None:
        """Return the key of a trial's point."""
        return self._by_index.get(index)

    def add(self, index: int, key: _Key) -> None:
        self._by_index[index] = key
        self._times[key] = self._times.get(key, 0) + 1

    def remove(self, index: int) -> _Key | None:
        """Forget a trial; return the key if its point is unseen now."""
        key = self._by_index.pop(index, None)
        if key is None:
            return None
        if self._times[key] > 1:
            self._times[key] -= 1
            return None
        del self._times[key]
        return key


class PointFold(Fold):
    """A fold that proposes one point after the other.

    `pending` holds the points whose trials have not ended, those of the batch
    that is being made among them. What an algorithm wants to know of the rest
    it takes from `proposed`, `observed` and `forgotten`.
    """

    retries = 8
    """How often `draw` is asked again when it gives a point that was seen."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.seed = seed_of(problem)
        self.cube = Cube(problem.space)
        self.seen: Seen[int] = Seen()
        self.pending: dict[int, Point] = {}
        self.proposals = 0
        self.position = 0

    @abstractmethod
    def draw(self, index: int, retry: int) -> Proposal:
        """Return a point for trial `index`; `retry` counts the draws that had been seen."""

    def proposed(self, entry: Proposed) -> None:
        """Take note of a new point, already pending."""

    def observed(self, entry: Finished, point: Point) -> None:
        """Take note of a trial that ended, no longer pending."""

    def forgotten(self, index: int) -> None:
        """Take note of a trial that counts for nothing, whatever was said of it before."""

    def observe(self, entry: Entry) -> None:
        self.position = entry.position
        match entry:
            case Proposed(index=index, proposal=proposal):
                self.add(index, proposal.point)
                self.proposals += 1
                self.proposed(entry)
            case Finished(index=index):
                point = self.pending.pop(index, None)
                if point is not None:
                    self.observed(entry, point)
            case Dropped(index=index):
                self.pending.pop(index, None)
                self.seen.remove(index)
                self.forgotten(index)

    def suggest(self, first_index: int, count: int) -> Suggestion:
        proposals: list[Proposal] = []
        with self.batch() as batch:
            for index in range(first_index, first_index + count):
                proposal = self.unseen(index)
                if proposal is None:
                    size = self.cube.cardinality
                    assert size is not None  # an endless space always has another point
                    note = f"the whole space of {counted(size, 'point')} has been proposed"
                    return Suggestion(tuple(proposals), SearchState.EXHAUSTED, note)
                proposals.append(proposal)
                self.add(index, proposal.point)
                batch.append(index)
        return Suggestion(tuple(proposals))

    @contextmanager
    def batch(self) -> Iterator[list[int]]:
        """Take the points of a batch back at its end: they are not in the log yet."""
        batch: list[int] = []
        try:
            yield batch
        finally:
            for index in batch:
                self.pending.pop(index, None)
                self.seen.remove(index)

    def add(self, index: int, point: Point) -> None:
        self.pending[index] = point
        self.seen.add(index, self.cube.key(point))

    def unseen(self, index: int) -> Proposal | None:
        size = self.cube.cardinality
        if size is not None and len(self.seen) >= size:
            return None
        for retry in range(self.retries):
            proposal = self.draw(index, retry)
            if self.cube.key(proposal.point) not in self.seen:
                return proposal
        if size is None:
            return Proposal(self._unseen_by_chance(index))
        return Proposal(
            self.cube.unrank(self._next_unseen(derive(self.seed, index, _UNSEEN), size))
        )

    def _unseen_by_chance(self, index: int) -> Point:
        """Draw until a point is unseen: where a number is inactive the others may be few."""
        draws = range(self.retries, self.retries + _DRAWS)
        points = (self.random_point(index, retry) for retry in draws)
        last = self.random_point(index, self.retries)
        return next((point for point in points if self.cube.key(point) not in self.seen), last)

    def _next_unseen(self, start: int, size: int) -> int:
        """Walk from a random rank to the first unseen one."""
        rank = start % size
        while rank in self.seen:
            rank = (rank + 1) % size
        return rank

    def random_point(self, index: int, retry: int) -> Point:
        """Draw a point from the parameters' distributions."""
        return self.cube.draw(generator(self.seed, index, retry))


def is_observed(entry: Finished) -> bool:
    """Say whether an entry has a value of the objective to learn from."""
    return entry.verdict is Verdict.OBSERVED and entry.value is not None


def loss_of(entry: Finished, objective: Objective) -> float | None:
    """Return the objective's value so that smaller is better; None where there is none."""
    if entry.verdict is not Verdict.OBSERVED or entry.value is None:
        return None
    return objective.loss(entry.value)


GREATEST_LOSS = 1e100
"""Losses beyond it are taken as it by whoever subtracts or squares them; infinite ones, too."""


def losses_of(entry: Finished, objective: Objective) -> Losses | None:
    """Return the values of all objectives so that smaller is better; None where one is missing."""
    if entry.verdict is not Verdict.OBSERVED:
        return None
    return objective.losses(entry.value, dict(entry.values))
