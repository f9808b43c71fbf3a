"""The command `tunewright`."""

import click


@click.group()
@click.version_option(package_name="tunewright")
def main() -> None:
    """Tune the hyperparameters of any training command."""
