"""The engine's socket: whoever connects wakes it, and may read what it waits for.

The answer is a JSON list of lines; then the stream ends.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from ..metrics_collector.push import is_dead


@contextlib.asynccontextmanager
async def listening(path: Path | None, answer: Callable[[], Sequence[str]]) -> AsyncIterator[None]:
    """Answer at a socket that only this user can reach; at none where there is no path."""
    if path is None:
        yield
        return

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(answer()).encode())
        writer.close()

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_dead(path.parent)
    _free(path)
    server = await asyncio.start_unix_server(accept, path=path)
    _keep_private(path)
    try:
        yield
    finally:
        server.close()
        _free(path)


def _remove_dead(folder: Path) -> None:
    """Remove what killed engines left beside; a young one may belong to one about to listen."""
    before = time.time() - 60
    for each in folder.glob("*.sock"):
        if is_dead(each, before=before):
            _free(each)


def _free(path: Path) -> None:
    path.unlink(missing_ok=True)


def _keep_private(path: Path) -> None:
    path.chmod(0o600)
