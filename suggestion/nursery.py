"""Workers that are forked off one process, the nursery, which has loaded what they need.

An interpreter of its own costs a worker up to a second and a hundred megabytes, most of it for
libraries. A fork takes milliseconds, and shares what was loaded before it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import TypeAlias

from .interpreter import PYTHON, environment, start_interpreter
from .worker import Start

_PROGRAM = (*PYTHON, f"{__package__}.nursery_process")
_ALONE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Keeps pyarrow, which scikit-learn loads where it is installed, from starting a thread. A lock
that a thread holds at a fork would never be released in the worker. No other library starts one."""

_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Forked:
    """A worker of the nursery: a socket to it, and one on which the nursery tells how it ends."""

    def __init__(
        self, worker: _Streams, call: _Streams, nursery: asyncio.subprocess.Process
    ) -> None:
        self.answers, self.requests = worker
        self._told, self._call = call
        self._nursery = nursery

    async def end(self, grace: float) -> int | None:
        """Wait for its end, or hang up: then the nursery kills it, and is not waited for."""
        try:
            async with asyncio.timeout(grace):
                return await self._status()
        except TimeoutError:
            return -signal.SIGKILL
        finally:
            self._call.close()
            self.requests.close()

    async def _status(self) -> int | None:
        if not await self._told.readline():  # the nursery has ended before it began this one
            return await self._nursery.wait()
        status = await self._told.readline()
        return int(status) if status else None


class Nursery:
    """Starts workers. Its process begins with the first of them, and anew when it has ended."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._beginning = asyncio.Lock()

    async def start(self, algorithm: str) -> Forked:
        """Start a worker that has loaded what the algorithm needs."""
        async with self._beginning:
            process, control = await self._begun()
        with contextlib.ExitStack() as undone:
            worker, its_worker = map(undone.enter_context, socket.socketpair())
            call, its_call = map(undone.enter_context, socket.socketpair())
            ends = [its_worker.fileno(), its_call.fileno()]
            with contextlib.suppress(OSError):  # it ends just now, which is told as the worker's
                socket.send_fds(control, [algorithm.encode()], ends)
            its_worker.close()  # else nobody would see that the other end is gone
            its_call.close()
            streams = await asyncio.open_unix_connection(sock=worker)
            undone.callback(streams[1].close)
            forked = Forked(streams, await asyncio.open_unix_connection(sock=call), process)
            undone.pop_all()
            return forked

    async def close(self) -> None:
        """End it, and the workers that there still are."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            await self._process.wait()

    async def _begun(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        if self._process is None or self._control is None or self._process.returncode is not None:
            if self._control is not None:
                self._control.close()
            self._control, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
            self._control.setblocking(False)
            with its:
                self._process = await asyncio.create_subprocess_exec(
                    *_PROGRAM,
                    str(its.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**_ALONE, **environment()},
                    pass_fds=[its.fileno()],
                    process_group=0,  # a Ctrl-C at the terminal is the service's to handle
                )
        return self._process, self._control


@contextlib.asynccontextmanager
async def workers() -> AsyncIterator[Start]:
    """Have workers started for the time of a block: by a nursery where there can be one."""
    if not is_possible():
        yield start_interpreter
        return
    nursery = Nursery()
    try:
        yield nursery.start
    finally:
        await nursery.close()


def is_possible() -> bool:
    """Say whether there can be a nursery here. On macOS the system's own libraries bear no fork."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
