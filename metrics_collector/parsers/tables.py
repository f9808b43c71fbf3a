"""Tables: a line of names, then lines of numbers below them."""

import re
from collections.abc import Sequence

from .numbers import to_number

_HEADER_WORD = re.compile(rb"[A-Za-z_][\w./@%()-]*")
_PATIENCE = 100
# What may stand in a row: a number, whatever is glued to it, or a mark for one that is missing.
_CELL = re.compile(rb"[-+.(\[]*\d.*|[-+*.]+|nan|[-+]?inf|none", re.IGNORECASE)
_NARROW = 4
"""Columns below which a row does not begin with a word: two words and a number are prose."""
_COUNT = re.compile(rb"(\d{1,18})(?:/\d+)?")
_COUNTING = frozenset({b"epoch", b"step", b"iter", b"iteration", b"round"})


class Table:
    """Remembers the last header that names a metric; `open` while rows may follow it."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.header = b""
        self._metrics = {name.encode(): name for name in metrics}
        self._columns: list[tuple[int, str]] = []
        self._width = 0
        self._counts = False
        self._patience = 0

    @property
    def open(self) -> bool:
        return self._patience > 0

    def begin(self, line: bytes) -> None:
        """Take a line for a header, if it is one: names alone, two or more."""
        words = line.split(b"): ", 1)[0].split()
        if len(words) < 2 or not all(_HEADER_WORD.fullmatch(word) for word in words):
            return
        names = [word.strip(b"():,") for word in words]
        columns = [
            (i, self._metrics[name]) for i, name in enumerate(names) if name in self._metrics
        ]
        if columns:
            self.header = line
            self._columns, self._width, self._patience = columns, len(words), _PATIENCE
            self._counts = names[0].lower() in _COUNTING

    def row(self, line: bytes) -> tuple[list[tuple[str, float]], int | None]:
        """Read a row: as many words as the header has names, or more behind a colon."""
        self._patience -= 1
        words = line.split(b": ", 1)[0].split()
        if len(words) != self._width or not _are_cells(words):
            return [], None
        values = [(name, to_number(words[i])) for i, name in self._columns]
        found = [(name, value) for name, value in values if value is not None]
        if len(found) != len(values):
            return [], None
        self._patience = _PATIENCE
        count = _COUNT.fullmatch(words[0]) if self._counts else None
        return found, None if count is None else int(count[1])


def _are_cells(words: Sequence[bytes]) -> bool:
    """Say whether words are cells, the first of a wide table aside: it may name the row."""
    named = len(words) >= _NARROW
    return all(_CELL.fullmatch(word) for word in words[named:])
