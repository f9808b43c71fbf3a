"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .complete import experiment_names

_Command = TypeVar("_Command", bound=Callable[..., Any])


store_option = click.option(
    "--store",
    envvar="TUNEWRIGHT_STORE",
    metavar="FILE|URL",
    help="The store.  [default: store.db in $TUNEWRIGHT_HOME]",
)


def store_options(command: _Command) -> _Command:
    """Add where the experiment is: `--store` and `--namespace`."""
    command = click.option(
        "-n", "--namespace", help="Look in this namespace only.  [default: wherever the name is]"
    )(command)
    return store_option(command)


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    help="How to show it.",
)

name_argument = click.argument("name", shell_complete=experiment_names)

set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="The value of a parameter; the others get their middle.",
)
