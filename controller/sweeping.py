"""Which checkpoints of an experiment to remove as its search goes on, and the removal."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..db.records import ExperimentRecord
from . import checkpoints
from .lineage import Lineage, newest_generation, spare


class Sweeper:
    """Says whose checkpoints of one experiment are to be removed; each is named once."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._swept = -1
        self._named: set[str] = set()

    def spare(self, experiment: ExperimentRecord) -> Sequence[str]:
        """Return the trials whose checkpoints are spare since another generation began."""
        members = self._lineage.members(experiment.key.name)
        newest = newest_generation(members)
        if newest <= self._swept:
            return ()
        self._swept = newest
        return self._new(spare(members, _best(experiment)))

    def left(self, experiment: ExperimentRecord) -> Sequence[str]:
        """Return all trials but the best: of an experiment that has ended, and keeps no other."""
        members = self._lineage.members(experiment.key.name)
        best = _best(experiment)
        return self._new(each.name for each in members if each.name != best)

    def _new(self, names: Iterable[str]) -> Sequence[str]:
        found = [name for name in names if name not in self._named]
        self._named.update(found)
        return found


def _best(experiment: ExperimentRecord) -> str | None:
    return experiment.best[0].name if experiment.best else None


def remove(home: Path, trials: Sequence[str]) -> None:
    """Remove the checkpoints of trials whose directories lie below `home`."""
    for name in trials:
        checkpoints.remove(home / name)
