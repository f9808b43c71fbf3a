"""`tunewright plugin new`."""

from pathlib import Path

import click

from . import console


@click.command()
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to.  [default: NAME, here]",
)
def plugin_new(name: str, directory: Path | None) -> None:
    """Write a Python package with an algorithm, its tests, and an experiment that uses it.

    \b
    Examples:
      tunewright plugin new my-algorithm
    """
    from ..suggestion.plugin.scaffold import write

    folder = directory or Path(name)
    for path in write(name, folder):
        click.echo(str(path))
    console.note(f"\ncd {folder}\npip install -e '.[test]'\npytest\ntunewright run experiment.yaml")
