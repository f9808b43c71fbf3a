"""What a process writes: read from its pipes, kept in files, and shown to whoever listens."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 16
MOST = 4 * CHUNK
"""Bytes of a pipe that are read at one go, so that no program holds up the loop."""

REST = 0.02
"""Seconds that pipes are left alone after a look: a program writes in small pieces, Python each
line in two, and every piece would wake us."""
HASTY = 4096
"""Bytes at a look after which there is no rest: the smallest pipe holds so much, and a program
that has filled it waits for us."""

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
        self._rest = self._loop.call_later(REST, self._listen)
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

    def abandon(self) -> None:
        """Close all of it: there is no process that would."""
        for writer in self.writers:
            os.close(writer)
        self._close_all()

    async def drained(self, patience: float) -> None:
        """Read to the end of both; a pipe that somebody else holds open is left after that."""
        self._look()
        if self._readers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._ended.wait()
        self._close_all()

    def _listen(self) -> None:
        for reader in self._readers.values():
            self._loop.add_reader(reader, self._look)

    def _leave(self) -> None:
        self._rest.cancel()
        for reader in self._readers.values():
            self._loop.remove_reader(reader)

    def _look(self) -> None:
        """Read what has come, and leave the pipes alone for a while, unless that was much."""
        self._leave()
        self._rest = self._loop.call_later(REST, self._listen)
        if max([self._read(name) for name in tuple(self._readers)], default=0) >= HASTY:
            self._rest.cancel()
            self._listen()
        if not self._readers:
            self._ended.set()

    def _read(self, name: str) -> int:
        """Read what is in a pipe; return how much."""
        came = 0
        with contextlib.suppress(BlockingIOError):
            while came < MOST:
                data = os.read(self._readers[name], CHUNK)
                if not data:
                    self._close(name)
                    break
                came += len(data)
                self._keep(name, data)
                if self._on_data is not None:
                    self._on_data(name, data)
        return came

    def _keep(self, name: str, data: bytes) -> None:
        """Write to the file, which is made with the first byte; a full disk costs it, no metric."""
        with contextlib.suppress(OSError):
            if name not in self._files:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._files[name] = os.open(self._paths[name], flags, 0o600)
            left = memoryview(data)
            while left:
                left = left[os.write(self._files[name], left) :]

    def _close_all(self) -> None:
        self._leave()
        for name in tuple(self._readers):
            self._close(name)

    def _close(self, name: str) -> None:
        os.close(self._readers.pop(name))
        if name in self._files:
            os.close(self._files.pop(name))
