"""An engine in a process of its own, which outlives whoever starts it."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from ..db.records import ExperimentRecord
from ..db.store import Store
from .commands import COMMAND, CommandFailed
from .sources.place import Place

_LINES = 10


@dataclass(frozen=True, slots=True)
class Background:
    """An engine that was started. `code` is the status of one that failed, otherwise None."""

    pid: int
    log: Path
    code: int | None

    @property
    def said(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LINES:])


def start_engine(
    place: Place, record: ExperimentRecord, arguments: Sequence[str] = ()
) -> Background:
    """Start an engine of its own, and return when the experiment goes on or the engine has ended.

    The other process is `tunewright resume`, told the `arguments` too.
    """
    log = place.log_file(record.uid)
    with log.open("ab") as stream:
        engine = subprocess.Popen(
            [
                *(*COMMAND, "resume", record.key.name),
                *("--namespace", record.key.namespace, "--store", place.option),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd=Path(record.workdir) if Path(record.workdir).is_dir() else None,
        )
    with place.opened() as store:
        while engine.poll() is None and not _goes_on(place, store, record):
            time.sleep(0.02)
    # Whoever starts it may live on for days, in which its end is to be taken note of.
    Thread(target=engine.wait, name=f"engine {engine.pid}", daemon=True).start()
    return Background(engine.pid, log, engine.poll() or None)


def engage(place: Place, record: ExperimentRecord, arguments: Sequence[str] = ()) -> None:
    """Start an engine of its own.

    Raises:
        CommandFailed: it has ended at once; the text is what it said.
    """
    begun = start_engine(place, record, arguments)
    if begun.code is not None:
        raise CommandFailed(begun.said)


def _goes_on(place: Place, store: Store, record: ExperimentRecord) -> bool:
    """Say whether an engine has it, and has written that an end of before is over."""
    if not place.is_driven(record.uid):
        return False
    return not store.experiment(record.key).state.is_finished
