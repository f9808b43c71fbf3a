"""Choosing the display of a run: a live picture in a terminal, plain lines elsewhere."""

from typing import Protocol

from ..api.objective import Objective
from ..controller.progress import Observer
from ..controller.reading import Records
from ..db.records import ExperimentRecord

_KNOWN = 500
"""How many of the values so far a live picture begins with."""


class Display(Observer, Protocol):
    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def make_display(
    records: Records, record: ExperimentRecord, objective: Objective, *, live: bool
) -> Display:
    """Return the display of an experiment; it has begun to draw, with the values so far."""
    if live:
        from .live import Display as Live

        newest = records.trials(record.uid, limit=_KNOWN, newest_first=True)
        known = [trial.value for trial in reversed(newest) if trial.value is not None]
        picture = Live(record.key.name, objective, known=known)
        picture.open()
        return picture
    from .progress_lines import Lines

    return Lines(objective, best=record.best[0].value if record.best else None)
