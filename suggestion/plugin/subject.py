"""What is examined: the algorithms of this process, or a service at an address."""

import asyncio
import contextlib
import errno
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...api.errors import Fault, PluginBroken, PluginUnavailable, Unsupported
from ...api.problem import Problem
from .. import registry
from ..client import RemoteSuggester
from ..inline import History, InlineSuggester
from ..suggester import AnySuggester

_LOOK_SECONDS = 0.02  # between two looks whether a plug-in that was started listens

_ENDS_WITH_US = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as Python found it
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""

_REMEDIES = {
    PermissionError: "make it executable: chmod +x, or put its interpreter before it",
    FileNotFoundError: "check its path; a relative one begins where you are",
}


class Subject(Protocol):
    """Where an algorithm is asked, and how it is made to forget."""

    @property
    def calls_a_restart(self) -> int:
        """After how many calls a rule that restarts again and again does so; 1 is after each."""
        ...

    def open(self, history: History, *, stateless: bool) -> AnySuggester:
        """Return a way to ask that knows nothing yet.

        `stateless`: the algorithm is shown trials that it did not propose.
        """
        ...

    async def faults(self, problem: Problem) -> Sequence[Fault]: ...

    async def repeats(self, algorithm: str) -> str:
        """Say why it repeats points on purpose; "" where it does not, or nothing says so."""
        ...

    async def begin(self) -> None:
        """Make ready for another experiment: some know but one in all their life."""
        ...

    async def restart(self) -> None:
        """Forget everything, where that can be done from here."""
        ...


class InProcess:
    """The registry's algorithms, in this process."""

    calls_a_restart = 1

    def open(self, history: History, *, stateless: bool) -> AnySuggester:
        del stateless
        return InlineSuggester(history)

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        return registry.validate_problem(problem)

    async def repeats(self, algorithm: str) -> str:
        return registry.find(algorithm).capabilities.repeats

    async def begin(self) -> None:
        pass

    async def restart(self) -> None:
        pass


@dataclass(slots=True)
class AtAddress:
    """A service; with a command it is ours to restart."""

    address: str
    command: Sequence[str] = ()
    speaks_v1: bool | None = None
    timeout: float = 60.0
    calls_a_restart: int = 3  # a process starts at each
    exact: bool = True  # a point of Katib's protocol beside the space is no point
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def open(self, history: History, *, stateless: bool) -> AnySuggester:
        return self._client(history, stateless=stateless)

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        client = self._client(lambda _after: (), stateless=False)
        try:
            return await client.validate(problem)
        finally:
            await client.close()

    async def repeats(self, algorithm: str) -> str:
        client = self._client(lambda _after: (), stateless=False)
        try:
            described = {each.name: each for each in await client.describe()}
        finally:
            await client.close()
        if algorithm in described:
            return described[algorithm].capabilities.repeats
        # Katib's plug-ins say nothing; one of a name that is ours is taken for its like.
        known = algorithm in registry.names()
        return registry.find(algorithm).capabilities.repeats if known else ""

    async def begin(self) -> None:
        """Start a plug-in of Katib's anew: it knows one experiment."""
        if self.speaks_v1 is None:
            client = self._client(lambda _after: (), stateless=False)
            try:
                self.speaks_v1 = await client.finds_v1()
            finally:
                await client.close()
        if not self.speaks_v1:
            await self.restart()

    async def restart(self) -> None:
        if not self.command:
            return
        self.stop()
        written = shlex.join(self.command)
        try:
            self._process = _started(self.command)
        except OSError as error:
            why = f"{written} cannot be started: {error.strerror}"
            raise Unsupported(f"{why} ({_REMEDIES.get(type(error), 'name a program')})") from error
        for _ in range(int(self.timeout / _LOOK_SECONDS)):
            if await asyncio.to_thread(self._answers):
                return
            code = self._process.poll()
            if code is not None:
                raise PluginBroken(
                    f"{written} ended with exit code {code} before it listened on {self.address}"
                )
            await asyncio.sleep(_LOOK_SECONDS)
        raise PluginUnavailable(f"{written} does not listen on {self.address}")

    def _client(self, history: History, *, stateless: bool) -> RemoteSuggester:
        return RemoteSuggester(
            f"{self.address}?stateless" if stateless else self.address,
            history,
            timeout=self.timeout,
            speaks_v1=self.speaks_v1,
            exact=self.exact,
        )

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


def _started(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a plug-in, which on Linux does not outlive this process, however that ends.

    It is a program of its own that asks for this: `preexec_fn` may hang beside gRPC's threads.
    """
    if sys.platform != "linux":
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)
    if shutil.which(command[0]) is None:
        why = errno.EACCES if Path(command[0]).exists() else errno.ENOENT
        raise OSError(why, os.strerror(why))
    words = [sys.executable, "-ISc", _ENDS_WITH_US, *command]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL)
