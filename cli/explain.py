"""`tunewright explain`."""

import click

from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options


@click.command()
@name_argument
@where_options
@output_option
def explain(name: str, where: Where, output: str) -> None:
    """Say why an experiment is in its state, and what it is waiting for.

    \b
    Examples:
      tunewright explain digits
      tunewright explain digits -o json
    """
    from ..sdk.names import find_experiment

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        lines = list(source.explain(record))
    data = {"name": record.key.name, "state": str(record.state), "lines": lines}
    console.emit(data, output, lambda: click.echo("\n".join(lines)))
