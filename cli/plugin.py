"""`tunewright plugin`: for who writes an algorithm."""

import click

from .lazy import LazyGroup

COMMANDS = {
    "new": ("plugin_new:plugin_new", "Create a package for a new algorithm or rule."),
    "test": ("plugin_test:plugin_test", "Check whether an algorithm or a rule keeps its contract."),
    "bench": ("plugin_bench:plugin_bench", "Measure how well an algorithm searches."),
}


def is_address(word: str) -> bool:
    """Tell a service's HOST:PORT from the name of an algorithm and from a path."""
    return ":" in word and "/" not in word


@click.group(cls=LazyGroup, lazy=COMMANDS)
def plugin() -> None:
    """Write, test and measure an algorithm of your own.

    \b
    Examples:
      tunewright plugin new my-algorithm
      tunewright plugin test my-algorithm
      tunewright plugin test localhost:6789
      tunewright plugin bench localhost:6789 --against tpe
    """
