"""`tunewright algorithms`."""

from typing import Any

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
    from ..suggestion import registry

    data = [_shape(name)] if name else [_listed(entry) for entry in registry.names()]

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


def _listed(name: str) -> dict[str, Any]:
    """Return an algorithm's line; one that cannot be loaded hides no other."""
    from ..api.errors import PluginBroken

    try:
        return _shape(name)
    except PluginBroken as error:
        return {"name": name, "description": str(error), "settings": []}


def _shape(name: str) -> dict[str, Any]:
    from ..suggestion import registry

    found = registry.find(name)
    return {
        "name": name,
        "description": found.description,
        "settings": [
            {
                "name": setting.name,
                "type": setting.type_name,
                "default": setting.default,
                "rule": setting.rule,
                "description": setting.description,
            }
            for setting in found.settings
        ],
    }
