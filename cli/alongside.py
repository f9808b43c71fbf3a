"""Work that goes on while a service runs, and does not fail unheard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Have it done for the time of a block; if any of it fails, the block ends with that error.

    A service that went on without would be half of one, and would not be started anew.
    """
    block = asyncio.current_task()

    def failed(task: asyncio.Task[object]) -> None:
        if not task.cancelled() and block is not None:
            block.cancel()

    tasks = [asyncio.create_task(each) for each in work]
    for each in tasks:
        each.add_done_callback(failed)
    try:
        yield
    finally:
        for each in tasks:
            each.remove_done_callback(failed)
            each.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
