"""`tunewright delete`."""

import click

from ..api.words import counted
from ..sdk.sources.where import Where
from . import console
from .complete import experiment_names
from .options import where_options


@click.command()
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=experiment_names
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@where_options
def delete(names: tuple[str, ...], yes: bool, where: Where) -> int:
    """Remove experiments with their trials, metrics and directories.

    \b
    Examples:
      tunewright delete digits
      tunewright delete digits digits-2 --yes
    """
    from ..sdk.names import find_experiment

    with where.opened() as source:
        records = [find_experiment(source.records, name, source.namespace) for name in names]
        for record in records:
            source.check_deletable(record)
        if not yes:
            listed = ", ".join(
                f"{r.key.name} ({counted(r.totals.proposed, 'trial')})" for r in records
            )
            with console.asking("delete", "--yes deletes without asking"):
                agreed = click.confirm(f"Delete {listed}?")
            if not agreed:
                console.note("Nothing was deleted.")
                return 1
        for record in records:
            source.delete(record)
            click.echo(f"Deleted {record.key}.")
    return 0
