"""Checkpoints on this machine that nobody will go on from are removed as a search goes on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..api.checkpoint import Checkpoint, Keep
from ..db.records import ExperimentRecord
from . import checkpoints
from .lineage import Lineage, newest_generation, spare


class Sweeper:
    """Says whose checkpoints of one experiment are to be removed; each is named once."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._swept = -1
        self._named: set[str] = set()

    def spare(self, experiment: ExperimentRecord, kept: Checkpoint | None) -> Sequence[str]:
        """Return the trials whose checkpoints are spare since another generation began."""
        if kept is None or kept.keep is Keep.ALL:
            return ()
        members = self._lineage.members(experiment.key.name)
        newest = newest_generation(members)
        if newest <= self._swept:
            return ()
        self._swept = newest
        return self._new(spare(members, _best(experiment)))

    def left(self, experiment: ExperimentRecord, kept: Checkpoint | None) -> Sequence[str]:
        """Return the trials whose checkpoints are of no use now that the experiment has ended."""
        if kept is None or kept.keep is not Keep.BEST or not experiment.state.is_finished:
            return ()
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
