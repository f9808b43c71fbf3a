"""Where the page is below its server: what its links begin with, and what is behind that."""

from collections.abc import MutableMapping
from typing import Any


def base_of(scope: MutableMapping[str, Any]) -> str:
    """Return what all paths begin with, "" or `/tunewright`."""
    return str(scope.get("root_path", ""))


def inner_path(scope: MutableMapping[str, Any]) -> str:
    """Return the path without it, whether a proxy took it away or not."""
    path, base = str(scope["path"]), base_of(scope)
    inside = path == base or path.startswith(f"{base}/")
    return path.removeprefix(base) or "/" if inside else path
