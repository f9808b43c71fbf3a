"""One look at a training program's metrics page."""

from collections.abc import Mapping
from functools import cache
from typing import Any

_LARGEST = 4 << 20
_TIMEOUT = 2.0


def fetch(url: str, headers: Mapping[str, str]) -> str | None:
    """Return the page of an http or https server, or None while nothing answers there."""
    # Imported here: a trial whose metrics are printed should not wait for it.
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request

    try:
        request = Request(url, headers=dict(headers))  # noqa: S310 -- it is of http or https
        with _opener().open(request, timeout=_TIMEOUT) as reply:
            page: bytes = reply.read(_LARGEST)
    except (URLError, OSError, HTTPException, ValueError):
        return None
    return page.decode("utf-8", "replace")


@cache
def _opener() -> Any:
    """What is on this machine is never asked for through a proxy."""
    from urllib.request import ProxyHandler, build_opener

    return build_opener(ProxyHandler({}))
