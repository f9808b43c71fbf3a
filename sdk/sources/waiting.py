"""Waiting for the end of an experiment that something else drives."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ...api.asked import is_asked
from ...api.errors import Retryable
from ...db.records import ExperimentRecord
from ..verbs import LOOK_SECONDS
from .source import Source

_Found = TypeVar("_Found")

PATIENCE_SECONDS = 5.0
"""An engine that was just started takes so long at most to be seen."""


class Outages:
    """Keeps a wait from ending while the store does not answer; `note` is told of each outage."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._is_away = False

    def outlived(self, look: Callable[[], _Found], before: _Found) -> _Found:
        """Return what is seen now; while the store is away, what was there `before`."""
        try:
            found = look()
        except Retryable as error:
            if not self._is_away:
                self._note(f"Still waiting: {error}")
            self._is_away = True
            return before
        self._is_away = False
        return found


def wait_for_end(
    source: Source,
    record: ExperimentRecord,
    seconds: float | None,
    note: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> ExperimentRecord:
    """Return the experiment as it is at its end, or once the time is over.

    `note` is told, once, that nothing drives it: whoever waits may have to resume it; and, each
    time, that the store is away, which ends no waiting.
    """
    begun = seen = clock()
    has_said = is_asked(record.document)  # whoever asks for its points drives it
    outages = Outages(note)
    while not record.state.is_finished:
        now = clock()
        if seconds is not None and now - begun >= seconds:
            break
        if source.is_driven(record):
            seen = now
        elif not has_said and now - seen > PATIENCE_SECONDS:
            note(f"No engine is running {record.key.name}: `tunewright resume {record.key.name}`.")
            has_said = True
        source.rest(LOOK_SECONDS)
        record = outages.outlived(partial(source.records.experiment, record.key), record)
    return record


def is_interrupted(source: Source, record: ExperimentRecord) -> bool:
    """Say whether an experiment stands still until somebody resumes it: its engine is gone."""
    rests = record.state.is_finished or record.suspended or is_asked(record.document)
    return not rests and not source.is_driven(record)


def undriven(source: Source, record: ExperimentRecord) -> str:
    """Return the end of a sentence that says so where nothing drives an experiment."""
    return "" if source.is_driven(record) else "; no engine is running it"
