"""`tunewright pause`."""

import click

from . import console
from .options import name_argument, store_options
from .place import Place


@click.command()
@name_argument
@click.option("--now", is_flag=True, help="Stop what runs too; its points run again at resume.")
@store_options
def pause(name: str, now: bool, store: str | None, namespace: str | None) -> None:
    """Start no more trials; what runs may finish.

    \b
    Examples:
      tunewright pause digits
      tunewright pause digits --now
    """
    from .names import find_experiment
    from .wishes import ask_or_set

    place = Place.of(store)
    with place.opened() as opened:
        record = find_experiment(opened, name, namespace)
        if record.state.is_finished:
            console.note(f"{name} has ended already ({record.state}).")
            return
        ask_or_set(place, opened, record, suspended=True, now=now)
    click.echo(f"{record.key.name} is paused; `tunewright resume {record.key.name}` goes on.")
