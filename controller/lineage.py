"""Which checkpoints nobody will go on from any more.

A population is trained generation by generation: a trial to come continues one of the last
two generations, or starts again from the parent of one of those. The checkpoints of all older
generations are spare, except the best trial's. Trials without a generation may be continued at
any time, so theirs are never spare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..api.history import Proposed
from ..api.identity import trial_name
from ..api.lineage import generation_of
from ..db.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Member:
    """A trial, its generation if it has one, and whom it went on from."""

    name: str
    generation: int | None
    parent: str | None


class Lineage:
    """The trials of one experiment in the order of their indexes: a fold over its log."""

    def __init__(self, store: Ledger, uid: str) -> None:
        self._store = store
        self._uid = uid
        self._position = 0
        self._members: list[Member] = []

    def members(self, experiment: str) -> Sequence[Member]:
        """Return all that were proposed in the experiment of that name."""
        for entry in self._store.history(self._uid, self._position):
            self._position = entry.position
            if isinstance(entry, Proposed):
                proposal = entry.proposal
                name = proposal.name or trial_name(experiment, self._uid, entry.index)
                generation = generation_of(proposal.labels)
                self._members.append(Member(name, generation, proposal.parent))
        return self._members


def newest_generation(members: Sequence[Member]) -> int:
    """Return the last generation, -1 where there is none."""
    return max((each.generation for each in members if each.generation is not None), default=-1)


def recent(members: Sequence[Member], generations: int) -> Sequence[Member]:
    """Return the trials of the last so many generations."""
    oldest = newest_generation(members) - generations + 1
    return [m for m in members if m.generation is not None and m.generation >= oldest]


def spare(members: Sequence[Member], best: str | None) -> Sequence[str]:
    """Return the trials whose checkpoints nobody will go on from, the oldest first."""
    last_two = newest_generation(members) - 1
    living = [each for each in members if each.generation is None or each.generation >= last_two]
    needed = {each.name for each in living} | {each.parent for each in living} | {best}
    return [each.name for each in members if each.name not in needed]
