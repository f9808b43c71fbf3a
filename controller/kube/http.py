"""What the operator answers over HTTP: that it lives, that it is ready, and its figures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from .operator import Operator


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
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
