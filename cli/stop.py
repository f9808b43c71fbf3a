"""`tunewright stop`."""

import click

from ..sdk.sources.where import Where
from . import console
from .options import name_argument, where_options


@click.command()
@name_argument
@where_options
def stop(name: str, where: Where) -> None:
    """End an experiment: its running trials are stopped, and its results are kept.

    \b
    Examples:
      tunewright stop digits
    """
    from ..sdk.names import find_experiment

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        if record.state.is_finished:
            console.note(f"{name} has ended already ({record.state}).")
            return
        click.echo(source.stop(record))
