"""`tunewright watch`: the display of an experiment that another process drives."""

import sys
import time

import click

from ..api.objective import Objective
from ..db.records import ExperimentRecord
from ..db.store import Store
from . import console
from .options import name_argument, store_options
from .place import Place

_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0  # an engine that was just started takes so long to take the lock


@click.command()
@name_argument
@store_options
def watch(name: str, store: str | None, namespace: str | None) -> int:
    """Look at an experiment until it ends. Ctrl-C ends the looking, not the experiment.

    \b
    Examples:
      tunewright run experiment.yaml --detach
      tunewright watch digits
    """
    from .names import find_experiment

    place = Place.of(store)
    with place.opened() as opened:
        return attach(place, opened, find_experiment(opened, name, namespace))


def attach(place: "Place", store: Store, record: ExperimentRecord) -> int:
    """Show it until it ends or nothing drives it any more; return the exit code."""
    from ..api.compile import objective_of
    from . import summary

    objective = objective_of(record.document)
    try:
        record = _follow(place, store, record, objective)
    except KeyboardInterrupt:
        console.note(f"{record.key.name} goes on; `tunewright watch {record.key.name}` comes back.")
        return 130
    summary.show(store, record, interrupted=True)
    return 0 if record.state == "Succeeded" else 1


def _follow(
    place: "Place", store: Store, record: ExperimentRecord, objective: Objective
) -> ExperimentRecord:
    from .display import make_display
    from .snapshots import Reader

    if record.state.is_finished:
        return record
    reader = Reader(store, record, objective)
    known = [t.value for t in store.trials(record.uid, limit=500, newest_first=True) if t.value]
    seen = time.monotonic()
    display = make_display(record.key.name, objective, live=sys.stdout.isatty(), known=known[::-1])
    try:
        while True:
            record, snapshot = reader.read(time.time())
            display.snapshot(snapshot)
            for trial in reader.finished():
                display.finished(trial)
            now = time.monotonic()
            seen = now if place.is_driven(record.uid) else seen
            if record.state.is_finished or now - seen > _PATIENCE_SECONDS:
                return record
            time.sleep(_LOOK_SECONDS)
    finally:
        display.close()
