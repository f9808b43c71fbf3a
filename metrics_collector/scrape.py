"""One look at a training program's metrics page."""

from functools import cache
from typing import Any

_LARGEST = 4 << 20
_TIMEOUT = 2.0


def fetch(url: str) -> str | None:
    """Return the page, or None while nothing answers there."""
    # Imported here: a trial whose metrics are printed should not wait for it.
    from http.client import HTTPException
    from urllib.error import URLError

    try:
        with _opener().open(url, timeout=_TIMEOUT) as reply:
            page: bytes = reply.read(_LARGEST)
    except (URLError, OSError, HTTPException, ValueError):
        return None
    return page.decode("utf-8", "replace")


@cache
def _opener() -> Any:
    """What is on this machine is never asked for through a proxy."""
    from urllib.request import ProxyHandler, build_opener

    return build_opener(ProxyHandler({}))
