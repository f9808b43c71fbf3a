"""`tunewright plugin new`."""

from pathlib import Path

import click

from . import console
from .options import early_stopping_option


@click.command()
@click.argument("name")
@early_stopping_option("Create an early-stopping rule instead of an algorithm.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to create.  [default: NAME]",
)
def plugin_new(name: str, *, early_stopping: bool, directory: Path | None) -> None:
    """Create a Python package with an algorithm or rule, its tests, and an experiment that uses it.

    \b
    Examples:
      tunewright plugin new my-algorithm
      tunewright plugin new my-rule --early-stopping
    """
    from ..suggestion.plugin.scaffold import ALGORITHM, EARLY_STOPPING, write

    folder = directory or Path(name)
    for path in write(name, folder, EARLY_STOPPING if early_stopping else ALGORITHM):
        click.echo(str(path))
    console.note(f"\ncd {folder}\npip install -e '.[test]'\npytest\ntunewright run experiment.yaml")
