"""One look at a training program's metrics page."""

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self
from urllib.error import URLError
from urllib.request import (
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

_LARGEST = 4 << 20
_PIECE = 64 << 10
_TIMEOUT = 2.0
_PATIENCE = 5.0
"""Seconds for a whole page, its head included: what never ends is no page of metrics."""


def fetch(url: str, headers: Mapping[str, str]) -> str | None:
    """Return the page of an http or https server, or None while none comes whole from there."""
    try:
        request = Request(url, headers=dict(headers))  # noqa: S310 -- it is of http or https
        with _Patience() as patience, _opener(patience).open(request, timeout=_TIMEOUT) as reply:
            page = _read(reply)
            if patience.is_over:
                return None
    except (URLError, OSError, HTTPException, ValueError):
        return None
    return page.decode("utf-8", "replace")


def _read(reply: Any) -> bytes:
    """Read a page. What is too large ends with a whole line: half a number is another number.

    Raises:
        OSError: it breaks off.
    """
    length = reply.length
    size = _LARGEST if length is None else min(length, _LARGEST)
    page = bytearray()
    while len(page) < size and (part := reply.read1(min(_PIECE, size - len(page)))):
        page += part
    if length is not None and len(page) < size:
        raise ConnectionError
    return bytes(page if len(page) < _LARGEST else page[: page.rfind(b"\n") + 1])


class _Patience:
    """Ends the connections of a block that takes too long.

    A time-out is of one answer of a socket: a byte now and then keeps it up for ever.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._open: list[socket.socket] = []
        self._timer = threading.Timer(_PATIENCE, self._end)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def take(self, connection: socket.socket) -> None:
        self._open.append(connection)
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        for each in self._open:
            with suppress(OSError):  # it has ended by itself
                each.shutdown(socket.SHUT_RDWR)


class _Plain(HTTPConnection):
    def __init__(self, patience: _Patience, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience

    def connect(self) -> None:
        super().connect()
        self._patience.take(self.sock)


class _Secure(_Plain, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def __init__(self, patience: _Patience) -> None:
        super().__init__()
        self._connect: Any = partial(_Plain, patience)

    def http_open(self, request: Request) -> Any:
        return self.do_open(self._connect, request)


class _Https(HTTPSHandler):
    def __init__(self, patience: _Patience) -> None:
        super().__init__(context=_trusted())
        self._connect: Any = partial(_Secure, patience, context=_trusted())

    def https_open(self, request: Request) -> Any:
        return self.do_open(self._connect, request)


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _opener(patience: _Patience) -> OpenerDirector:
    """What is on this machine is never asked for through a proxy."""
    return build_opener(ProxyHandler({}), _Http(patience), _Https(patience))
