"""`tunewright logs`: what a trial printed, as it is on disk, or its end, as it is in the store."""

import sys
import time
from pathlib import Path

import click

from ..api.errors import NotFound
from ..db.records import ExperimentRecord, TrialRecord
from ..db.store import Store
from . import console
from .options import name_argument, store_options
from .place import Place

_LOOK_SECONDS = 0.1
_CHUNK = 1 << 16


@click.command()
@name_argument
@click.argument("trial", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the trial has ended.")
@click.option("--tail", type=click.IntRange(0), help="Only the last lines.")
@click.option("--stderr", is_flag=True, help="What it wrote to stderr.")
@store_options
def logs(
    name: str,
    trial: str | None,
    follow: bool,
    tail: int | None,
    stderr: bool,
    store: str | None,
    namespace: str | None,
) -> None:
    """Show what a trial (index, name, `best`, `last`) printed, by default the last one.

    \b
    Examples:
      tunewright logs digits
      tunewright logs digits best --tail 20
      tunewright logs digits 7 -f
    """
    from .names import find_trial, resolve

    place = Place.of(store)
    with place.opened() as opened:
        record, found = resolve(opened, name, trial, namespace)
        if found is None:
            found = find_trial(opened, record, "last")
        name = "stderr" if stderr else "stdout"
        path = log_path(place, record, found, name)
        if not path.exists():
            _show_kept(opened, record, found, name, tail)
            return
        with path.open("rb") as stream:
            start = _seek_tail(stream.read(), tail) if tail is not None else 0
            stream.seek(start)
            while True:
                ended = opened.trial(record.uid, found.index).state.is_finished
                while data := stream.read(_CHUNK):
                    sys.stdout.buffer.write(data)
                sys.stdout.flush()
                if ended or not follow:
                    return
                time.sleep(_LOOK_SECONDS)


def log_path(place: Place, record: ExperimentRecord, trial: TrialRecord, stream: str) -> Path:
    """Return the file of the trial's last attempt, which is made with the first byte."""
    return place.trial_folder(record.key, trial.name) / f"{stream}.{_attempt(trial)}.log"


def _attempt(trial: TrialRecord) -> int:
    return trial.attempt.attempt if trial.attempt else 1


def _show_kept(
    store: Store, record: ExperimentRecord, trial: TrialRecord, stream: str, lines: int | None
) -> None:
    """Show what the trial's record kept.

    Raises:
        NotFound: it printed nothing, or not yet.
    """
    kept = store.output(record.uid, trial.index, _attempt(trial), stream)
    if not kept:
        why = "it wrote nothing" if trial.state.is_finished else "it wrote nothing yet"
        raise NotFound(f"trial {trial.index} of {record.key.name} has no {stream}: {why}")
    console.note("Its directory was pruned; this is the end, which the store keeps.")
    sys.stdout.buffer.write(kept[_seek_tail(kept, lines) if lines is not None else 0 :])


def _seek_tail(data: bytes, lines: int) -> int:
    """Return where the last `lines` lines begin."""
    place = len(data.rstrip(b"\n"))
    for _ in range(lines):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1 if lines else len(data)
