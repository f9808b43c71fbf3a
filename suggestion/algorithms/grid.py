"""Grid search: every combination of the parameters' levels, once."""

from collections.abc import Sequence

from ...api.errors import Fault
from ...api.history import Dropped, Entry, Proposal, Proposed, SearchState, Suggestion
from ...api.problem import Problem
from ...api.space import Distribution
from ...api.words import counted
from ..algorithm import Algorithm, Capabilities, Fold, seed_of
from ..cube import Cube
from ..history import Seen
from ..seeds import derive
from ..settings import random_state


class Grid(Algorithm):
    name = "grid"
    description = (
        "visits every combination of the parameters' levels once, in the order of the file "
        "or, with a random_state, shuffled"
    )
    settings = (random_state(),)
    capabilities = Capabilities(
        distributions=frozenset({Distribution.UNIFORM}),
        conditions=True,
        objectives=True,
        needs_levels=True,
    )
    is_quick = True
    learns = False

    def validate(self, problem: Problem) -> Sequence[Fault]:
        size = problem.space.cardinality
        if size is None or problem.max_trials is None or problem.max_trials <= size:
            return ()
        return (
            Fault(
                "spec.maxTrialCount",
                f"Max Trial Count: {problem.max_trials} > all possible search combinations: {size}",
                f"set it to {size} or less",
            ),
        )

    def start(self, problem: Problem) -> Fold:
        return _GridFold(problem)


class _GridFold(Fold):
    """Counts through the places of the order; `_next` is the first that may be unseen."""

    def __init__(self, problem: Problem) -> None:
        self._cube = Cube(problem.space)
        self._size = self._cube.cardinality or 0
        shuffled = problem.settings.get("random_state", "") != ""
        self._order = _Shuffle(self._size, seed_of(problem)) if shuffled else None
        self._seen: Seen[int] = Seen()
        self._next = 0
        self._returned: set[int] = set()

    def observe(self, entry: Entry) -> None:
        match entry:
            case Proposed(index=index, proposal=proposal):
                rank = self._cube.rank(proposal.point)
                self._seen.add(index, rank)
                self._returned.discard(rank)
            case Dropped(index=index):
                rank_unseen = self._seen.remove(index)
                if rank_unseen is not None:
                    self._returned.add(rank_unseen)
            case _:
                pass

    def suggest(self, first_index: int, count: int) -> Suggestion:
        del first_index  # the order of the grid is that of asking
        ranks = sorted(self._returned)[:count]
        while self._next < self._size and self._rank(self._next) in self._seen:
            self._next += 1
        place = self._next
        while len(ranks) < count and place < self._size:
            rank = self._rank(place)
            place += 1
            if rank not in self._seen and rank not in self._returned:
                ranks.append(rank)
        proposals = tuple(Proposal(self._cube.unrank(rank)) for rank in ranks)
        if len(proposals) < count:
            note = f"the whole grid of {counted(self._size, 'point')} has been proposed"
            return Suggestion(proposals, SearchState.EXHAUSTED, note)
        return Suggestion(proposals)

    def _rank(self, place: int) -> int:
        return place if self._order is None else self._order[place]


class _Shuffle:
    """A random order of 0 … size-1 that takes no memory.

    A Feistel network permutes the numbers of an even count of bits; what falls
    outside is permuted again until it falls inside.
    """

    _ROUNDS = 4

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._seed = seed

    def __getitem__(self, place: int) -> int:
        while True:
            place = self._permute(place)
            if place < self._size:
                return place

    def _permute(self, number: int) -> int:
        mask = (1 << self._half) - 1
        left, right = number >> self._half, number & mask
        for turn in range(self._ROUNDS):
            left, right = right, left ^ (derive(self._seed, turn, right) & mask)
        return (left << self._half) | right
