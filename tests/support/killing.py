"""A cluster as seen by an operator that is killed after a number of writes."""

from typing import Any

from tunewright.controller.kube.port import Kube

WRITES = ("create", "replace", "apply", "merge", "delete")


class Killed(BaseException):
    """The operator's process is gone; what it wrote is not."""


class Killing:
    """Passes everything on; the `last` write is done, and the operator killed before it knows."""

    def __init__(self, kube: Kube, last: int) -> None:
        self._kube = kube
        self._last = last
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._kube, name)
        return self._counted(call) if name in WRITES else call

    def _counted(self, call: Any) -> Any:
        async def write(*arguments: Any, **options: Any) -> Any:
            self.writes += 1
            if self.writes > self._last:
                raise Killed
            done = await call(*arguments, **options)
            if self.writes >= self._last:
                raise Killed
            return done

        return write
