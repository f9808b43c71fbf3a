"""A cluster as seen by an operator that is killed after a number of writes."""

import asyncio
import contextlib
from typing import Any

from tunewright.controller.kube.port import Kube

WRITES = ("create", "replace", "apply", "merge", "delete")


class Killed(BaseException):
    """The operator's process is gone; what it wrote is not."""


class Killing:
    """Passes everything on; the `last` write is done, and the operator killed before it knows.

    What it had sent by then is carried out all the same.
    """

    def __init__(self, kube: Kube, last: int) -> None:
        self._kube = kube
        self._last = last
        self._sent: list[asyncio.Future[Any]] = []
        self.writes = 0

    async def ends(self, operator: "asyncio.Task[None]") -> None:
        """Wait until it is dead and all it had sent is done: the next one comes seconds later."""
        with contextlib.suppress(BaseExceptionGroup, Killed, asyncio.CancelledError):
            await operator
        await asyncio.gather(*self._sent, return_exceptions=True)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._kube, name)
        return self._counted(call) if name in WRITES else call

    def _counted(self, call: Any) -> Any:
        async def write(*arguments: Any, **options: Any) -> Any:
            self.writes += 1
            if self.writes > self._last:
                raise Killed
            sent = asyncio.ensure_future(call(*arguments, **options))
            self._sent.append(sent)
            done = await asyncio.shield(sent)
            if self.writes >= self._last:
                raise Killed
            return done

        return write
