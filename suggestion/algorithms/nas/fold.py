"""The bookkeeping that architecture searches share: which were seen, and what they came to."""

from abc import abstractmethod
from collections.abc import Sequence

from ....api.errors import Fault
from ....api.history import (
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
)
from ....api.problem import Problem
from ....api.space import ParameterKind
from ...algorithm import Algorithm, Capabilities, Fold, seed_of
from ...history import Seen, loss_of
from ...seeds import generator
from .faults import graph_faults
from .genotype import Genotype, Genotypes

_RETRIES = 64
_LAST_RESORT = 0x6E6173  # the path of draws when the algorithm's own were all seen

CAPABILITIES = Capabilities(kinds=frozenset(ParameterKind), architecture=True)


class ArchitectureSearch(Algorithm):
    """An algorithm over `nasConfig`."""

    capabilities = CAPABILITIES

    def validate(self, problem: Problem) -> Sequence[Fault]:
        return list(graph_faults(problem))


class ArchitectureFold(Fold):
    """Proposes one architecture after the other, none twice while there are unseen ones."""

    def __init__(self, problem: Problem) -> None:
        assert problem.architecture is not None
        self.problem = problem
        self.seed = seed_of(problem)
        self.genotypes = Genotypes(problem.architecture)
        self._seen: Seen[Genotype] = Seen()

    @abstractmethod
    def draw(self, index: int, retry: int) -> Genotype:
        """Return an architecture for trial `index`; `retry` counts the draws that were seen."""

    def observed(self, index: int, position: int, genotype: Genotype, loss: float) -> None:
        """Take note of what an architecture came to; less is better."""

    def forgotten(self, index: int) -> None:
        """Take note of a trial that counts for nothing."""

    def observe(self, entry: Entry) -> None:
        match entry:
            case Proposed(index=index, proposal=proposal):
                genotype = self.genotypes.read(proposal.point)
                if genotype is not None:
                    self._seen.add(index, genotype)
            case Finished(index=index):
                genotype, loss = self._seen.of(index), loss_of(entry, self.problem.objective)
                if genotype is not None and loss is not None:
                    self.observed(index, entry.position, genotype, loss)
            case Dropped(index=index):
                self._seen.remove(index)
                self.forgotten(index)

    def suggest(self, first_index: int, count: int) -> Suggestion:
        proposals: list[Proposal] = []
        batch: list[int] = []
        try:
            for index in range(first_index, first_index + count):
                genotype = self._unseen(index)
                if genotype is None:
                    note = f"all {self.genotypes.cardinality} architectures have been proposed"
                    return Suggestion(tuple(proposals), SearchState.EXHAUSTED, note)
                self._seen.add(index, genotype)
                batch.append(index)
                proposals.append(Proposal(self.genotypes.point(genotype)))
        finally:
            for index in batch:
                self._seen.remove(index)
        return Suggestion(tuple(proposals))

    def _unseen(self, index: int) -> Genotype | None:
        if len(self._seen) >= self.genotypes.cardinality:
            return None
        for retry in range(_RETRIES):
            genotype = self.draw(index, retry)
            if genotype not in self._seen:
                return genotype
        retry = 0
        while True:  # one is unseen, and every one can be drawn
            genotype = self.genotypes.random(generator(self.seed, index, _LAST_RESORT, retry))
            if genotype not in self._seen:
                return genotype
            retry += 1
