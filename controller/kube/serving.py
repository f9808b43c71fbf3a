"""Applications that answer over HTTP."""

import asyncio
import contextlib
import errno
import socket
import ssl
import weakref
from collections.abc import AsyncIterator

from aiohttp import web

from ...api.errors import Unsupported

LAST_ANSWERS_SECONDS = 5.0
"""How long an answer that has begun may take at the end; a pod has thirty for all its farewells."""

_LOOKS = 100
"""How often, a hundredth of a second apart, a connection that was shut down is looked at."""


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, host: str, port: int, *, secured: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve for the time of a block; yield the port. Afterwards no connection is left.

    Raises:
        Unsupported: nothing can listen there.
    """
    listener = _Listener(host, port)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_ANSWERS_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, ssl_context=secured).start()
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()
        await listener.disconnect()


class _Listener(socket.socket):
    """Listens, and knows every connection that it accepted.

    aiohttp knows those that have agreed on TLS, and does not wait for the caller's goodbye of them:
    the others would be left open when the loop ends.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.bind((host, port))
        except OSError as error:
            self.close()
            why = f"cannot be listened on: {error.strerror or error}"
            if error.errno == errno.EADDRINUSE:
                why = "is taken by another program: name another port"
            raise Unsupported(f"{host}:{port} {why}") from error

    def accept(self) -> tuple[socket.socket, object]:
        connection, address = super().accept()
        self._accepted.add(connection)
        return connection, address

    async def disconnect(self) -> None:
        """Shut down what is still open; its transport sees that, and closes it."""
        for each in self._accepted:
            with contextlib.suppress(OSError):  # it is closed
                each.shutdown(socket.SHUT_RDWR)
        for _ in range(_LOOKS):
            if all(each.fileno() < 0 for each in self._accepted):
                return
            await asyncio.sleep(0.01)
