"""`tunewright watch`: the display of an experiment that another process drives."""

import time
from typing import TYPE_CHECKING

import click

from ..api.objective import Objective
from ..db.records import ExperimentRecord
from ..sdk.sources.source import Source
from ..sdk.sources.waiting import PATIENCE_SECONDS, Outages
from ..sdk.sources.where import Where
from . import console
from .exits import INTERRUPTED
from .options import name_argument, where_options

if TYPE_CHECKING:
    from ..controller.progress import Observer
    from .snapshots import Reader

_LOOK_SECONDS = 0.5


@click.command()
@name_argument
@where_options
def watch(name: str, where: Where) -> int:
    """Look at an experiment until it ends. Ctrl-C ends only the display, not the experiment.

    \b
    Examples:
      tunewright run experiment.yaml --detach
      tunewright watch digits
    """
    from ..sdk.names import find_experiment

    with where.opened() as source:
        return attach(source, find_experiment(source.records, name, source.namespace))


def attach(source: Source, record: ExperimentRecord) -> int:
    """Show an experiment until it ends, or nothing drives it any more; return the exit code."""
    from ..api.excerpts import objective_of
    from . import summary

    objective = objective_of(record.document)
    try:
        record = _follow(source, record, objective)
    except KeyboardInterrupt:
        console.note(
            f"{record.key.name} continues; `tunewright watch {record.key.name}` shows it again."
        )
        return INTERRUPTED
    summary.show(source, record, interrupted=True)
    return 0 if record.state == "Succeeded" else 1


def _follow(source: Source, record: ExperimentRecord, objective: Objective) -> ExperimentRecord:
    from .display import make_display
    from .snapshots import Reader

    if record.state.is_finished:
        return record
    reader = Reader(source.records, record, objective)
    seen = time.monotonic()
    outages = Outages(console.note)
    display = make_display(source.records, record, objective, live=console.is_drawn())
    try:
        while True:
            record = outages.outlived(lambda: _look(reader, display), record)
            now = time.monotonic()
            seen = now if source.is_driven(record) else seen
            if record.state.is_finished or now - seen > PATIENCE_SECONDS:
                return record
            source.rest(_LOOK_SECONDS)
    finally:
        display.close()


def _look(reader: "Reader", display: "Observer") -> ExperimentRecord:
    """Show the experiment as it is now, and return it."""
    record, snapshot = reader.read(time.time())
    display.snapshot(snapshot)
    for trial in reader.finished():
        display.finished(trial)
    return record
