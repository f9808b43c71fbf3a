"""`tunewright algorithms`."""

import click

from . import console
from .options import output_option


@click.command()
@click.argument("name", required=False)
@output_option
def algorithms(name: str | None, output: str) -> None:
    """List the search algorithms, or the settings of one.

    \b
    Examples:
      tunewright algorithms
      tunewright algorithms tpe
      tunewright algorithms -o json
    """
    from ..sdk.algorithms import algorithm, every_algorithm

    data = [algorithm(name)] if name else every_algorithm()

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
