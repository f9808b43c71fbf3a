"""`tunewright delete`."""

import click

from ..api.errors import Conflict
from .complete import experiment_names
from .options import store_options
from .place import Place


@click.command()
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=experiment_names
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_options
def delete(names: tuple[str, ...], yes: bool, store: str | None, namespace: str | None) -> None:
    """Remove experiments with their trials, metrics and directories.

    \b
    Examples:
      tunewright delete digits
      tunewright delete digits digits-2 --yes
    """
    from .names import find_experiment

    place = Place.of(store)
    with place.opened() as opened:
        records = [find_experiment(opened, name, namespace) for name in names]
        for record in records:
            if place.is_driven(record.uid):
                raise Conflict(
                    f"{record.key.name} is running: `tunewright stop {record.key.name}` first"
                )
        if not yes:
            listed = ", ".join(f"{r.key.name} ({r.totals.proposed} trials)" for r in records)
            click.confirm(f"Delete {listed}?", abort=True)
        for record in records:
            with place.driving(record.uid):
                opened.delete_experiment(record.uid)
                place.remove_files(record.key, record.uid)
            click.echo(f"Deleted {record.key}.")
