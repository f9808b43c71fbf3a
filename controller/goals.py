"""Whether a trial has reached every goal, where several objectives have one.

With one objective the best value tells. With several no total does: the trial that
reaches all goals may be the best by none of them. So the log is read, each turn from
where the last one ended, and from the start when the goals are edited.
"""

from ..api.history import Dropped, Finished, Verdict
from ..api.objective import Objective
from ..db.ledger import Ledger


class Goals:
    """The trials of one experiment that reach every goal."""

    def __init__(self, store: Ledger, uid: str) -> None:
        self._store = store
        self._uid = uid
        self._objective: Objective | None = None
        self._position = 0
        self._there: set[int] = set()

    def reached(self, objective: Objective) -> bool:
        """Say whether a trial reaches every goal; False where only the first objective has one."""
        if not any(further.goal is not None for further in objective.further):
            return False
        if objective != self._objective:
            self._objective, self._position = objective, 0
            self._there.clear()
        for entry in self._store.history(self._uid, self._position):
            self._position = entry.position
            match entry:
                case Finished(verdict=Verdict.OBSERVED):
                    if objective.reaches_goal(entry.value, dict(entry.values)):
                        self._there.add(entry.index)
                case Dropped():
                    self._there.discard(entry.index)
        return bool(self._there)
