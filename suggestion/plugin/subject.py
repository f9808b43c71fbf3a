"""What is examined: the algorithms of this process, or a service at an address."""

import asyncio
import contextlib
import shlex
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...api.errors import Fault, PluginUnavailable
from ...api.problem import Problem
from .. import registry
from ..client import RemoteSuggester
from ..inline import History, InlineSuggester
from ..suggester import AnySuggester


class Subject(Protocol):
    """Where an algorithm is asked, and how it is made to forget."""

    async def open(self, history: History) -> AnySuggester:
        """Return a way to ask that knows nothing yet."""
        ...

    async def faults(self, problem: Problem) -> Sequence[Fault]: ...

    async def restart(self) -> bool:
        """Forget everything, where that can be done from here."""
        ...


class InProcess:
    """The registry's algorithms, in this process."""

    async def open(self, history: History) -> AnySuggester:
        return InlineSuggester(history)

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        return registry.validate_problem(problem)

    async def restart(self) -> bool:
        return True


@dataclass(slots=True)
class AtAddress:
    """A service; with a command it is ours to restart."""

    address: str
    command: Sequence[str] = ()
    speaks_v1: bool | None = None
    timeout: float = 60.0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    async def open(self, history: History) -> AnySuggester:
        # Shown everything: whether it bears that is what is found out.
        return RemoteSuggester(
            f"{self.address}?stateless", history, timeout=self.timeout, speaks_v1=self.speaks_v1
        )

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        client = RemoteSuggester(
            self.address, lambda _after: (), timeout=self.timeout, speaks_v1=self.speaks_v1
        )
        try:
            return await client.validate(problem)
        finally:
            await client.close()

    async def restart(self) -> bool:
        if not self.command:
            return False
        self.stop()
        self._process = subprocess.Popen(self.command)  # noqa: ASYNC220  # it returns at once
        for _ in range(int(self.timeout * 10)):
            if await asyncio.to_thread(self._answers):
                return True
            await asyncio.sleep(0.1)
        raise PluginUnavailable(f"{shlex.join(self.command)} does not listen on {self.address}")

    def stop(self) -> None:
        """End the command's process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return True
        return False
