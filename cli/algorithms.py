"""`tunewright algorithms`."""

import click

from . import console
from .options import early_stopping_option, output_option


@click.command()
@click.argument("name", required=False)
@early_stopping_option("List the early-stopping rules instead.")
@output_option
def algorithms(name: str | None, *, early_stopping: bool, output: str) -> None:
    """List the search algorithms, or the settings of one.

    \b
    Examples:
      tunewright algorithms
      tunewright algorithms tpe
      tunewright algorithms --early-stopping
      tunewright algorithms -o json
    """
    from ..sdk import algorithms as installed

    if early_stopping:
        data = [installed.rule(name)] if name else installed.every_rule()
    else:
        data = [installed.algorithm(name)] if name else installed.every_algorithm()

    def show() -> None:
        if name is None:
            console.table(
                ["name", "description", "settings"],
                [
                    [
                        item["name"],
                        item["description"],
                        ", ".join(s["name"] for s in item["settings"]),
                    ]
                    for item in data
                ],
            )
            return
        click.echo(f"{data[0]['name']}: {data[0]['description']}")
        console.table(
            ["setting", "type", "default", "may be", "description"],
            [
                [s["name"], s["type"], s["default"], s["rule"], s["description"]]
                for s in data[0]["settings"]
            ],
        )

    console.emit(data[0] if name else data, output, show)
