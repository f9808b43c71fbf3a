"""Experiments of this machine: a store, and the folders and engines beside it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from ...api.errors import Conflict, NotFound
from ...db.records import ExperimentRecord, TrialRecord
from ...db.store import Store
from .place import Place, cannot_be_removed
from .source import ALONE, Hands
from .waiting import Outages

_LOOK_SECONDS = 0.1
_CHUNK = 1 << 16


class Here:
    """Implements `source.Source` over an open store."""

    def __init__(
        self, place: Place, store: Store, namespace: str | None = None, hands: Hands = ALONE
    ) -> None:
        self.namespace = namespace
        self._hands = hands
        self.place = place
        self.records = store

    def __str__(self) -> str:
        return f"store: {self.place}"

    def whereabouts(self, record: ExperimentRecord) -> Mapping[str, object]:
        return {"occupies_bytes": self.place.occupied(record.key), "store": str(self.place)}

    def is_driven(self, record: ExperimentRecord) -> bool:
        return self.place.is_driven(record.uid)

    def explain(self, record: ExperimentRecord) -> Sequence[str]:
        from .reasons import explain_experiment

        return explain_experiment(self.place, self.records, record, time.time())

    def command_line(self, record: ExperimentRecord, trial: TrialRecord) -> str:
        from ..rendered import command_line

        return command_line(record, trial)

    def keep_up(self) -> None:
        """A store is read anew each time."""

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def ask(self, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]) -> str:
        from .wishes import leave

        return leave(self.place, self.records, record, verb, arguments)

    def suspend(self, record: ExperimentRecord, *, suspended: bool, now: bool) -> None:
        from .wishes import ask_or_set

        ask_or_set(self.place, self.records, record, suspended=suspended, now=now)

    def edit(self, record: ExperimentRecord, changes: Mapping[str, Any], *, now: bool) -> None:
        from ...controller.edits import budgets_of, check_budget, edited
        from ...controller.local.sharing import check_sharing
        from .wishes import is_taken, why_it_stays_ended

        document = edited(record.document, changes)
        check_budget(record, changes)
        check_sharing(document)
        if not is_taken(self.place, self.records, record, "edit", {**changes, "now": now}):
            self.records.set_document(
                record.uid, document, version=record.version, suspended=record.suspended
            )
        if record.state.is_finished and budgets_of(changes):
            name, why = record.key.name, why_it_stays_ended(self.records, record.uid)
            goes_on = f"`tunewright resume {name}` continues it."
            self._hands.note(f"{name} stays ended: {why}" if why else goes_on)

    def stop(self, record: ExperimentRecord) -> str:
        name = record.key.name
        self.records.wish(record.uid, "stop", {}, now=time.time())
        if self.is_driven(record):
            self.place.wake(record.uid)
            return f"{name} is being stopped; `tunewright wait {name}` waits."
        self._hands.carry_out(self.place, record)
        return f"{name} is stopped."

    def check_deletable(self, record: ExperimentRecord) -> None:
        ends = record.state.is_finished and self.place.is_left(record.uid)
        if not ends and self.is_driven(record):
            name = record.key.name
            raise Conflict(f"{name} is running: `tunewright stop {name}` first")

    def delete(self, record: ExperimentRecord) -> None:
        with self.place.driving(record.uid):
            with self.records.group():  # refuses a read-only store while all is still there
                trials = [trial.name for trial in self.records.trials(record.uid)]
            # Files first: on a full disk the transaction needs the space that they take.
            stay = self.place.remove_directories(record.key, trials)
            self.records.delete_experiment(record.uid)
            self.place.remove_traces(record.uid)
        if stay:
            self._hands.note(cannot_be_removed(stay))

    # Logs.

    def log(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        *,
        stream: str,
        tail: int | None,
        follow: bool,
        after: int = 0,
    ) -> Iterator[bytes]:
        path = log_path(self.place, record, trial, stream)
        outages = Outages(self._hands.note)

        def is_enough() -> bool:
            return not follow or outages.outlived(lambda: self._has_ended(record, trial), False)

        while not (path.exists() or is_enough()):
            time.sleep(_LOOK_SECONDS)
        if not path.exists():
            yield self._kept(record, trial, stream, tail)[after:]
            return
        with path.open("rb") as written:
            written.seek(after if tail is None else _tail_of(written, tail))
            while True:
                ended = is_enough()
                while data := written.read(_CHUNK):
                    yield data
                if ended:
                    return
                time.sleep(_LOOK_SECONDS)

    def _has_ended(self, record: ExperimentRecord, trial: TrialRecord) -> bool:
        return self.records.trial(record.uid, trial.index).state.is_finished

    def _kept(
        self, record: ExperimentRecord, trial: TrialRecord, stream: str, lines: int | None
    ) -> bytes:
        """Return what the trial's record kept."""
        kept = self.records.output(record.uid, trial.index, _attempt(trial), stream)
        if not kept:
            why = "it wrote nothing" if trial.state.is_finished else "it wrote nothing yet"
            raise NotFound(f"trial {trial.index} of {record.key.name} has no {stream}: {why}")
        self._hands.note(
            "Its directory was pruned; this is the end of the output, which the store keeps."
        )
        return kept[0 if lines is None else _tail_of(BytesIO(kept), lines) :]


def log_path(place: Place, record: ExperimentRecord, trial: TrialRecord, stream: str) -> Path:
    """Return the file of the trial's last attempt, which is made with the first byte."""
    return place.trial_folder(record.key, trial.name) / f"{stream}.{_attempt(trial)}.log"


def _attempt(trial: TrialRecord) -> int:
    return trial.attempt.attempt if trial.attempt else 1


def _tail_of(written: BinaryIO, lines: int) -> int:
    """Return where the last `lines` lines of a file begin; what lies far before is not read."""
    end, length = written.seek(0, os.SEEK_END), _CHUNK
    while True:
        begin = max(0, end - length)
        written.seek(begin)
        place = _seek_tail(written.read(end - begin), lines)
        if place or not begin:
            return begin + place
        length *= 2


def _seek_tail(data: bytes, lines: int) -> int:
    """Return where the last `lines` lines begin."""
    place = len(data.rstrip(b"\n"))
    for _ in range(lines):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1 if lines else len(data)
