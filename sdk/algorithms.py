"""The search algorithms that are installed, as JSON and the page show them."""

from typing import Any

from ..api.errors import PluginBroken
from ..suggestion import registry


def every_algorithm() -> list[dict[str, Any]]:
    return [_listed(name) for name in registry.names()]


def _listed(name: str) -> dict[str, Any]:
    """Return an algorithm; one that cannot be loaded hides no other."""
    try:
        return algorithm(name)
    except PluginBroken as error:
        return {"name": name, "description": str(error), "settings": []}


def algorithm(name: str) -> dict[str, Any]:
    """Return what an algorithm is, and its settings.

    Raises:
        Invalid: there is none of that name.
    """
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
