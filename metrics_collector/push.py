"""The engine's end of `report()`: one Unix socket, a conversation a process."""

import asyncio
import contextlib
import errno
import json
import math
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from ..api.observation import PlainSample, Sample, is_metric_name

_LONGEST_MESSAGE = 1 << 20
_PREFIX = "tw-"
_STRANGE = (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError)
"""What is raised by what a stranger says."""
_SHORT = Path("/tmp")  # noqa: S108 # the user's TMPDIR may be too long for a socket's path

OnPush: TypeAlias = Callable[[str, str, int, tuple[PlainSample, ...]], Awaitable[tuple[int, bool]]]
"""Called with token, source, first sequence and samples; without samples, for a hello.

Returns the last sequence kept of the source (-1 for none), and whether its trial is to
stop. A KeyError says that nobody knows the token: the conversation ends.
"""


class PushServer:
    """Listens for the processes of all trials of one engine.

    `address` is what TUNEWRIGHT_REPORT holds in their environment. The folder is
    the caller's alone, and its path short: a socket's may have 107 bytes.
    """

    def __init__(self, on_push: OnPush, folder: Path | None = None) -> None:
        """Take the folder of the socket; by default one is made when it starts."""
        self._on_push = on_push
        self._folder = folder
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"unix:{self._folder}/report" if self._folder else ""

    async def start(self) -> None:
        if self._folder is None:
            remove_dead(_SHORT, before=time.time() - 60)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / "report").unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._accept, path=self._folder / "report", limit=_LONGEST_MESSAGE
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._conversations.add(task)
            task.add_done_callback(self._conversations.discard)
        # What a stranger says ends the conversation, never the engine.
        with contextlib.suppress(*_STRANGE, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await _read(reader)
        token, source = str(hello["token"]), str(hello["source"])[:64]
        first = 0
        samples: tuple[PlainSample, ...] = ()
        while True:
            last, stop = await self._on_push(token, source, first, samples)
            writer.write(json.dumps({"last": last, "stop": stop}).encode() + b"\n")
            await writer.drain()
            message = await _read(reader)
            samples = tuple(_sample(item) for item in message["samples"])
            first = _first(message["first"], len(samples))


def remove_dead(folder: Path, *, before: float) -> None:
    """Remove the sockets of engines that were killed: ours, and nobody listens.

    One made after `before` may belong to an engine that is about to listen.
    """
    for each in folder.glob(f"{_PREFIX}*/report"):
        if is_dead(each, before=before):
            shutil.rmtree(each.parent, ignore_errors=True)


def is_dead(path: Path, *, before: float) -> bool:
    """Say whether a socket is ours, was made before a time, and nobody listens there."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
        made = path.stat()
        is_ours = made.st_uid == os.getuid() and made.st_mtime < before
        return is_ours and tried.connect_ex(str(path)) == errno.ECONNREFUSED
    return False


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    line = await reader.readline()
    if not line:
        raise ConnectionError("the trial has gone")
    message = json.loads(line)
    if not isinstance(message, dict):
        raise TypeError("a message is an object")
    return message


def _first(number: Any, count: int) -> int:
    """Read the sequence of the first of so many samples."""
    first = int(number)
    if not 0 <= first < 2**63 - count:
        raise ValueError("no database keeps its number")
    return first


def _sample(item: Any) -> Sample:
    name, value, time, step = item
    sample = Sample(str(name), float(value), float(time), None if step is None else int(step))
    if not (is_metric_name(sample.metric) and math.isfinite(sample.time)):
        raise ValueError("no database keeps its name or its time")
    if not abs(sample.step or 0) < 2**63:
        raise ValueError("no database keeps its step")
    return sample
