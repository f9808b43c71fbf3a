"""`tunewright algorithms`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from . import console
from .options import early_stopping_option, output_option

if TYPE_CHECKING:
    from ..suggestion.settings import Setting


class _Entry(Protocol):
    """What algorithms and stopping rules have in common."""

    @property
    def description(self) -> str: ...
    @property
    def settings(self) -> "Sequence[Setting]": ...


_Find = Callable[[str], _Entry]


@click.command()
@click.argument("name", required=False)
@early_stopping_option("The early-stopping rules.")
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
    names, find = _table(early_stopping=early_stopping)
    data = [_shape(name, find)] if name else [_listed(each, find) for each in names]

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


def _table(*, early_stopping: bool) -> tuple[Sequence[str], _Find]:
    if early_stopping:
        from ..suggestion.early_stopping import registry as rules

        return rules.names(), rules.find
    from ..suggestion import registry

    return registry.names(), registry.find


def _listed(name: str, find: _Find) -> dict[str, Any]:
    """Return the line of one; one that cannot be loaded hides no other."""
    from ..api.errors import PluginBroken

    try:
        return _shape(name, find)
    except PluginBroken as error:
        return {"name": name, "description": str(error), "settings": []}


def _shape(name: str, find: _Find) -> dict[str, Any]:
    found = find(name)
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
