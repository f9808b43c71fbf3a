"""The algorithms and early-stopping rules that are installed, as JSON and the page show them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..api.errors import PluginBroken
from ..suggestion import registry
from ..suggestion.early_stopping import registry as rules
from ..suggestion.settings import Setting


class _Described(Protocol):
    @property
    def description(self) -> str: ...

    @property
    def settings(self) -> Sequence[Setting]: ...


def every_algorithm() -> list[dict[str, Any]]:
    return [_listed(name, registry.find) for name in registry.names()]


def every_rule() -> list[dict[str, Any]]:
    return [_listed(name, rules.find) for name in rules.names()]


def algorithm(name: str) -> dict[str, Any]:
    """Return what an algorithm is, and its settings.

    Raises:
        Invalid: there is none of that name.
    """
    return _shape(name, registry.find(name))


def rule(name: str) -> dict[str, Any]:
    """Return what an early-stopping rule is, and its settings.

    Raises:
        Invalid: there is none of that name.
    """
    return _shape(name, rules.find(name))


def _listed(name: str, find: Callable[[str], _Described]) -> dict[str, Any]:
    """Return what one is; one that cannot be loaded hides no other."""
    try:
        return _shape(name, find(name))
    except PluginBroken as error:
        return {"name": name, "description": str(error), "settings": []}


def _shape(name: str, found: _Described) -> dict[str, Any]:
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
