"""`tunewright stop`."""

import time

import click

from . import console
from .options import name_argument, store_options
from .place import Place


@click.command()
@name_argument
@store_options
def stop(name: str, store: str | None, namespace: str | None) -> int:
    """End an experiment: running trials are stopped, what was found is kept.

    \b
    Examples:
      tunewright stop digits
    """
    from .drive import drive_quietly
    from .names import find_experiment

    place = Place.of(store)
    with place.opened() as opened:
        record = find_experiment(opened, name, namespace)
        if record.state.is_finished:
            console.note(f"{name} has ended already ({record.state}).")
            return 0
        opened.wish(record.uid, "stop", {}, now=time.time())
    if place.is_driven(record.uid):
        place.wake(record.uid)
        click.echo(
            f"{record.key.name} is being stopped; `tunewright wait {record.key.name}` waits."
        )
        return 0
    drive_quietly(place, record)
    click.echo(f"{record.key.name} is stopped.")
    return 0
