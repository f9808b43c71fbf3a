"""One look at a training program's metrics page."""

import urllib.error
import urllib.request
from http.client import HTTPException

_LARGEST = 4 << 20
_TIMEOUT = 2.0
# What is on this machine is never asked for through a proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str) -> str | None:
    """Return the page, or None while nothing answers there."""
    try:
        with _OPENER.open(url, timeout=_TIMEOUT) as reply:
            page: bytes = reply.read(_LARGEST)
    except (urllib.error.URLError, OSError, HTTPException, ValueError):
        return None
    return page.decode("utf-8", "replace")
