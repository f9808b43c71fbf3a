"""What a process writes: read from its pipes, kept in files, and shown to whoever listens."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 16

OnData = Callable[[str, bytes], None]
"""Called with `stdout` or `stderr` and what came."""


class Streams:
    """The two pipes of one process. `writers` go to the process; who sends them closes them."""

    def __init__(self, files: dict[str, Path], on_data: OnData | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_data = on_data
        self._paths = files
        self._files: dict[str, int] = {}
        self._readers: dict[str, int] = {}
        self._ended = asyncio.Event()
        self.writers: tuple[int, ...] = ()
        try:
            for name in files:
                self._open(name)
        except OSError:
            self.abandon()
            raise

    def _open(self, name: str) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._readers[name] = reader
        self.writers += (writer,)
        self._loop.add_reader(reader, self._read, name)

    def abandon(self) -> None:
        """Close all of it: there is no process that would."""
        for writer in self.writers:
            os.close(writer)
        for name in tuple(self._readers):
            self._close(name)

    async def drained(self, patience: float) -> None:
        """Wait for the end of both; a pipe that somebody else holds open is left after that."""
        if self._readers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._ended.wait()
        for name in tuple(self._readers):
            self._close(name)

    def _read(self, name: str) -> None:
        try:
            data = os.read(self._readers[name], CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._close(name)
            return
        self._keep(name, data)
        if self._on_data is not None:
            self._on_data(name, data)

    def _keep(self, name: str, data: bytes) -> None:
        """Write to the file, which is made with the first byte; a full disk costs it, no metric."""
        with contextlib.suppress(OSError):
            if name not in self._files:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._files[name] = os.open(self._paths[name], flags, 0o600)
            left = memoryview(data)
            while left:
                left = left[os.write(self._files[name], left) :]

    def _close(self, name: str) -> None:
        reader = self._readers.pop(name)
        self._loop.remove_reader(reader)
        os.close(reader)
        if name in self._files:
            os.close(self._files.pop(name))
        if not self._readers:
            self._ended.set()
