"""`tunewright explain`."""

import time

import click

from . import console
from .options import name_argument, output_option, store_options
from .place import Place


@click.command()
@name_argument
@store_options
@output_option
def explain(name: str, store: str | None, namespace: str | None, output: str) -> None:
    """Say why an experiment is where it is, and what it waits for.

    \b
    Examples:
      tunewright explain digits
      tunewright explain digits -o json
    """
    from .names import find_experiment
    from .reasons import explain_experiment

    place = Place.of(store)
    with place.opened() as opened:
        record = find_experiment(opened, name, namespace)
        lines = explain_experiment(place, opened, record, time.time())
    data = {"name": record.key.name, "state": str(record.state), "lines": lines}
    console.emit(data, output, lambda: click.echo("\n".join(lines)))
