"""One look at a training program's metrics page."""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

_LARGEST = 4 << 20
_PIECE = 64 << 10
_TIMEOUT = 2.0
_PATIENCE = 5.0
"""Seconds for a whole page: one that never ends is no page of metrics."""


def fetch(url: str, headers: Mapping[str, str]) -> str | None:
    """Return the page of an http or https server, or None while none comes whole from there."""
    # Imported here: a trial whose metrics are printed should not wait for it.
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request

    try:
        request = Request(url, headers=dict(headers))  # noqa: S310 -- it is of http or https
        with _opener().open(request, timeout=_TIMEOUT) as reply:
            page = _read(reply)
    except (URLError, OSError, HTTPException, ValueError):
        return None
    return page.decode("utf-8", "replace")


def _read(reply: Any) -> bytes:
    """Read a page. What is too large ends with a whole line: half a number is another number.

    Raises:
        OSError: it takes too long, or breaks off.
    """
    length = reply.length
    size = _LARGEST if length is None else min(length, _LARGEST)
    page, end = bytearray(), time.monotonic() + _PATIENCE
    while len(page) < size and (part := reply.read1(min(_PIECE, size - len(page)))):
        page += part
        if time.monotonic() > end:
            raise TimeoutError
    if length is not None and len(page) < size:
        raise ConnectionError
    return bytes(page if len(page) < _LARGEST else page[: page.rfind(b"\n") + 1])


@cache
def _opener() -> Any:
    """What is on this machine is never asked for through a proxy."""
    from urllib.request import ProxyHandler, build_opener

    return build_opener(ProxyHandler({}))
