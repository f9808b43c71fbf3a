"""The server: REST under `/api/v1`, pages beside it, and who may see them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from . import problems
from .access import Access
from .auth import Guard
from .board import Board
from .live import Live
from .needs import permitted
from .pages import router as pages
from .rest import algorithms, asking, experiments, trials

STATIC = Path(__file__).parent / "static"
_ABOUT = """List, read and control experiments.

Numbers that are not finite are the strings `NaN`, `Infinity` and `-Infinity`; a metric may be a
text. Times are seconds since the epoch. Errors are problem documents (RFC 9457). Send
`Authorization: Bearer TOKEN` with the token that `tunewright ui` printed or, on a cluster, with
one of the API server.
"""


def make_app(board: Board, access: Access, version: str, base: str = "") -> FastAPI:
    """Return the server of one place's experiments; `base` is what its paths begin with."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.live = Live(board)
        yield

    app = FastAPI(
        title="Tunewright",
        version=version,
        description=_ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        root_path=base,
        dependencies=[Depends(permitted)],
    )
    app.state.board = board
    for resources in (experiments, trials, algorithms, asking):
        app.include_router(resources.router, prefix="/api/v1")
    app.include_router(pages)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=2000)
    app.add_middleware(Guard, access=access)
    return app
