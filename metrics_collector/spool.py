"""The collector's end of the spool that the launcher fills: read, and taken away once it is kept.

A record is a line `<seconds> <1 | 2> <text>`; see `launcher/launcher.c`. Nobody waits for the
disk: after a power cut a record or a number may be torn, and counts as none.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PIECE = 1 << 20
_STREAMS = {b"1": "stdout", b"2": "stderr"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line that the command wrote, and when; its end is left out."""

    at: float
    stream: str
    text: bytes


class Spool:
    """Reads records in their order, from the oldest that is left.

    What was read is taken away by `keep_from_here`, a segment at a time: the
    one that the launcher writes stays.
    """

    def __init__(self, folder: Path, segment: int = 0, offset: int = 0) -> None:
        """Begin behind `offset` of a segment: what comes before has been kept."""
        self._folder = folder
        self.segment = segment
        self.offset = offset

    @property
    def exit_code(self) -> int | None:
        """How the command ended; None while it runs. All its records are there by then."""
        return self._number("exit")

    @property
    def has_more(self) -> bool:
        """Whether there is a record that was not read."""
        return bool(self._later()) or b"\n" in self._piece()

    @property
    def dropped(self) -> int:
        """How many records found no room."""
        return self._number("dropped") or 0

    def read(self) -> list[Line]:
        """Return the next records that are whole, a mebibyte of them at the most."""
        # Asked for first: once there is a later segment, this one grows no more.
        later = self._later()
        data = self._piece()
        end = data.rfind(b"\n") + 1
        if end:
            self.offset += end
            return list(_lines(data[: end - 1].split(b"\n")))
        if not later:
            return []
        self.segment, self.offset = later[0], 0
        return self.read()

    def keep_from_here(self) -> None:
        """Take away the segments that have been read to their end."""
        for number in self._segments():
            if number < self.segment:
                (self._folder / _name(number)).unlink(missing_ok=True)

    def _piece(self) -> bytes:
        try:
            file = os.open(self._folder / _name(self.segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(file, _PIECE, self.offset)
        finally:
            os.close(file)

    def _later(self) -> list[int]:
        return [number for number in self._segments() if number > self.segment]

    def _segments(self) -> list[int]:
        return sorted(int(path.name) for path in self._folder.glob("[0-9]*"))

    def _number(self, name: str) -> int | None:
        try:
            return int((self._folder / name).read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None


def _name(number: int) -> str:
    return f"{number:06d}"


def _lines(records: Iterable[bytes]) -> Iterator[Line]:
    for record in records:
        with contextlib.suppress(ValueError, KeyError):
            at, stream, text = record.split(b" ", 2)
            yield Line(float(at), _STREAMS[stream], text)
