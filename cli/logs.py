"""`tunewright logs`: what a trial printed, as it is on disk."""

import sys
import time
from pathlib import Path

import click

from ..api.errors import NotFound
from ..db.records import ExperimentRecord, TrialRecord
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
        path = log_path(place, record, found, stderr=stderr)
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


def log_path(
    place: Place, record: ExperimentRecord, trial: TrialRecord, *, stderr: bool = False
) -> Path:
    """Return the file of the trial's last attempt.

    Raises:
        NotFound: it printed nothing yet, or its directory was pruned.
    """
    stream = "stderr" if stderr else "stdout"
    attempt = trial.attempt.attempt if trial.attempt else 1
    path = place.trial_folder(record.key, trial.name) / f"{stream}.{attempt}.log"
    if path.exists():
        return path
    why = "its directory was pruned" if trial.state.is_finished else "it has not started"
    raise NotFound(f"trial {trial.index} of {record.key.name} has no {stream}: {why}")


def _seek_tail(data: bytes, lines: int) -> int:
    """Return where the last `lines` lines begin."""
    place = len(data.rstrip(b"\n"))
    for _ in range(lines):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1 if lines else len(data)
