"""Bytes in pieces of any size, into whole lines, in bounded memory."""

from collections.abc import Iterator

LONGEST_LINE = 64 * 1024
"""A line that is longer counts as several, cut where a word ends."""

_CUT_WITHIN = 1024


class LineBuffer:
    """Hands out a stream of bytes as blocks that end where a line ends.

    A carriage return ends a line too: progress bars know no other end. How the
    bytes were cut on their way here never changes the lines.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return the lines that are whole now, or nothing."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        block = b""
        if end:
            block = b"".join((*self._parts, data[:end])) if self._parts else data[:end]
            self._parts.clear()
            self._size = 0
        rest = data[end:] if end else data
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        return block + self._overflow() if self._size > self._longest else block

    def finish(self) -> bytes:
        """Return the last line, which had no end."""
        rest = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return rest

    def _overflow(self) -> bytes:
        pieces = list(cut_line(b"".join(self._parts), self._longest))
        self._parts = [pieces.pop()]
        self._size = len(self._parts[0])
        return b"".join(piece + b"\n" for piece in pieces)


def cut_line(line: bytes, longest: int = LONGEST_LINE) -> Iterator[bytes]:
    """Cut a line into pieces of at most `longest` bytes, where a word ends.

    A piece that begins within a word begins with `_`, so that no end of a name
    is taken for a name.
    """
    while len(line) > longest:
        head = line[longest - _CUT_WITHIN : longest]
        end = max(head.rfind(b" "), head.rfind(b","), head.rfind(b"\t"))
        if end >= 0:
            cut = longest - _CUT_WITHIN + end + 1
            yield line[:cut]
            line = line[cut:]
        else:
            yield line[:longest]
            line = b"_" + line[longest:]
    yield line
