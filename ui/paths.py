"""Paths of requests where a proxy serves the page below a path of its own, such as /tunewright."""

from collections.abc import MutableMapping
from typing import Any


def base_of(scope: MutableMapping[str, Any]) -> str:
    """Return the path that the page is served below, "" or `/tunewright`: links begin with it."""
    return str(scope.get("root_path", ""))


def inner_path(scope: MutableMapping[str, Any]) -> str:
    """Return a request's path without `base_of`, which some proxies have cut off already."""
    path, base = str(scope["path"]), base_of(scope)
    inside = path == base or path.startswith(f"{base}/")
    return path.removeprefix(base) or "/" if inside else path
