"""Applications that answer over HTTP."""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ...api.errors import Unsupported

LAST_ANSWERS_SECONDS = 5.0
"""How long an answer that has begun may take at the end; a pod has thirty for all its farewells."""


@asynccontextmanager
async def serving(
    app: web.Application, host: str, port: int, *, secured: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve for the time of a block; yield the port. Afterwards no connection is left.

    Raises:
        Unsupported: nothing can listen there.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_ANSWERS_SECONDS)
    await runner.setup()
    try:
        await _listen(web.TCPSite(runner, host, port, ssl_context=secured), f"{host}:{port}")
        yield runner.addresses[0][1]
    finally:
        callers = [] if runner.server is None else runner.server.connections
        transports = [each.transport for each in callers if each.transport is not None]
        await runner.cleanup()
        for transport in transports:
            transport.abort()  # TLS waits for the caller's farewell, this loop may end before it
        await asyncio.sleep(0)  # in which they are closed


async def _listen(site: web.TCPSite, address: str) -> None:
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = "is taken by another program: name another port"
        else:
            why = f"cannot be listened on: {error.strerror or error}"
        raise Unsupported(f"{address} {why}") from error
