"""`tunewright pause`."""

import click

from ..sdk.sources.where import Where
from . import console
from .options import name_argument, where_options


@click.command()
@name_argument
@click.option(
    "--now", is_flag=True, help="Also stop running trials; their points run again after resume."
)
@where_options
def pause(name: str, now: bool, where: Where) -> None:
    """Start no more trials; running ones may finish.

    \b
    Examples:
      tunewright pause digits
      tunewright pause digits --now
    """
    from ..sdk.names import find_experiment

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        if record.state.is_finished:
            console.note(f"{name} has ended already ({record.state}).")
            return
        source.suspend(record, suspended=True, now=now)
    click.echo(f"{record.key.name} is paused; `tunewright resume {record.key.name}` continues it.")
