"""`tunewright logs`: what a trial printed."""

import sys

import click

from ..sdk.sources.where import Where
from .options import name_argument, where_options


@click.command()
@name_argument
@click.argument("trial", required=False)
@click.option("-f", "--follow", is_flag=True, help="Follow the output until the trial ends.")
@click.option("--tail", type=click.IntRange(0), help="Only this many of the last lines.")
@click.option("--stderr", is_flag=True, help="Show stderr instead of stdout.")
@where_options
def logs(
    name: str,
    trial: str | None,
    follow: bool,
    tail: int | None,
    stderr: bool,
    where: Where,
) -> None:
    """Show what a trial (index, name, `best`, `last`) printed, by default the last one.

    \b
    Examples:
      tunewright logs digits
      tunewright logs digits best --tail 20
      tunewright logs digits 7 -f
    """
    from ..sdk.names import find_trial, resolve

    with where.opened() as source:
        record, found = resolve(source.records, name, trial, source.namespace)
        if found is None:
            found = find_trial(source.records, record, "last")
        stream = "stderr" if stderr else "stdout"
        for part in source.log(record, found, stream=stream, tail=tail, follow=follow):
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
