"""What other distributions bring: the classes behind entry points, by group and name."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..api.errors import PluginBroken


@cache
def entries(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group, by name; they are read once a process."""
    return {entry.name: entry for entry in entry_points(group=group)}


def load(group: str, name: str, base: type[Any], what: str) -> type[Any]:
    """Return the class behind an entry point; `what` says in messages what it is.

    Raises:
        PluginBroken: it cannot be imported, or is not a subclass of `base`.
    """
    try:
        found = entries(group)[name].load()
    except Exception as error:
        raise PluginBroken(f"the entry point of {what} {name} fails: {error}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise PluginBroken(f"the entry point of {what} {name} is not a subclass of {base.__name__}")
    return found
