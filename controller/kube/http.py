"""What the operator answers over HTTP: that it lives, that it is ready, and its figures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from .operator import Operator
from .serving import serving


@asynccontextmanager
async def answering(operator: Operator, host: str, port: int) -> AsyncIterator[int]:
    """Answer `/healthz`, `/readyz` and `/metrics` for the time of a block; yield the port.

    Being alive is answering at all: whatever holds the event loop holds the answer.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        if operator.is_ready:
            return web.Response(text="ok\n")
        return web.Response(text="the caches are not synced yet\n", status=503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=operator.figures_text())

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
        ]
    )
    async with serving(app, host, port) as found:
        yield found
