"""Files that grow while they are read: they appear late, are rotated, are cut."""

import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

CHUNK = 256 * 1024
"""Bytes held at a time, however far behind the reader is."""

_BEGINNING = 256
"""Bytes of a first line that tell a file from others."""

_LINE_END = re.compile(rb"[\r\n]")


class FileFollower:
    """Reads what is appended to a file, from its beginning, in pieces.

    When another file takes its name, what was left in the first is read before
    the second is begun; a file that became shorter is read from its start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._offset = 0
        self._ends_within = False

    @property
    def file(self) -> str:
        """What tells the file that is read from others of its name: its number and first line.

        A pipe has none, for nothing of it is read again.
        """
        if self._descriptor is None:
            return ""
        try:
            beginning = os.pread(self._descriptor, _BEGINNING, 0)
        except OSError:
            return ""
        number, line = os.fstat(self._descriptor).st_ino, _LINE_END.split(beginning, maxsplit=1)[0]
        return f"{number}-{zlib.crc32(line):x}"

    def poll(self) -> Iterator[bytes]:
        """Return what is there and was not read yet; nothing while there is no file."""
        if self._descriptor is None and not self._open():
            return
        while True:
            yield from self._rest()
            if not self._replaced():
                return
            yield from self._end_line()
            self.close()
            if not self._open():
                return

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> bool:
        # Without O_NONBLOCK the opening of a named pipe would wait for its writer.
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        self._offset = 0
        return True

    def _rest(self) -> Iterator[bytes]:
        if self._descriptor is None:
            return
        try:
            there = os.fstat(self._descriptor)
            # A pipe has no size, and no start to go back to.
            if stat.S_ISREG(there.st_mode) and there.st_size < self._offset:
                yield from self._end_line()
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                self._offset = 0
            while data := os.read(self._descriptor, CHUNK):
                self._offset += len(data)
                self._ends_within = not data.endswith((b"\n", b"\r"))
                yield data
        except OSError:
            return

    def _end_line(self) -> Iterator[bytes]:
        """End what had no end: it does not go on in what is read next."""
        if self._ends_within:
            self._ends_within = False
            yield b"\n"

    def _replaced(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        mine = os.fstat(self._descriptor) if self._descriptor is not None else None
        return mine is None or (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev)


class FolderFollower:
    """Reads what is appended to the event files below a folder. None is held open.

    A file that became shorter is read from its start.
    """

    def __init__(self, folder: Path, part: str = "tfevents") -> None:
        self._folder = folder
        self._part = part
        self._offsets: dict[str, int] = {}

    def poll(self) -> Iterator[tuple[str, int, bytes]]:
        """Return path, offset and bytes of what is there and was not read yet."""
        for path in self._paths():
            offset = self._offsets.get(path, 0)
            try:
                size = os.stat(path).st_size  # noqa: PTH116 -- a string is the key
                if size == offset:
                    continue
                if size < offset:
                    offset = self._offsets[path] = 0
                with open(path, "rb") as file:  # noqa: PTH123 -- a string is the key
                    file.seek(offset)
                    while data := file.read(CHUNK):
                        begin, offset = offset, offset + len(data)
                        self._offsets[path] = offset
                        yield path, begin, data
            except OSError:
                continue

    def _paths(self) -> list[str]:
        if self._folder.is_file():
            return [str(self._folder)]
        return sorted(
            os.path.join(folder, name)  # noqa: PTH118 -- a string is the key
            for folder, _, names in os.walk(self._folder)
            for name in names
            if self._part in name
        )
