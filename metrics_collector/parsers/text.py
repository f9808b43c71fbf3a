"""Metrics in the lines that training programs print.

What Katib's default filter reads (`name=value`) is read the same; besides that
`name: value`, quoted names, `name value`, cells of tables, and numbers that
are not finite. A block of lines in which no metric is named is searched for the
names and nothing else.
"""

import re
from collections.abc import Sequence

from ...api.observation import PlainSample, Sample
from .lines import LONGEST_LINE, LineBuffer, cut_line
from .marks import line_step, line_time
from .numbers import VALUE
from .reading import Reader, Reading
from .shape import Shape, learn
from .tables import Table

# Colours and the like; none of them reaches over the end of a line.
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\r\n]*(?:\x07|\x1b\\)|[@-Z\\-_])")

# What stands between a name and its value. A call such as `tensor(` or
# `np.float64(` is how libraries print a number of theirs. Blanks are never given
# back: a line of many would be gone through once for each of them.
_CALL = rb"(?:(?:np|numpy|torch|jnp)\.)?(?:tensor|array|Array|b?float\d*|int\d*)\("
_SIGN = rb"\s*+(?:=>?|:|->)\s*+(?:" + _CALL + rb"\s*+)?[\"']?"
_CELL = rb"\s*(?:\||\xe2\x94[\x82\x83])\s*"
_BLANK = rb"\s+"

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./\\")
_QUOTES = frozenset(b"\"'`")

_AFTER = re.compile(
    rb"(?:" + _SIGN + rb"(" + VALUE + rb")"
    # In a table a cell is a number and nothing else.
    rb"|" + _CELL + rb"(" + VALUE + rb")(?=\s*(?:\||\xe2\x94[\x82\x83]|$))"
    # After a mere blank, `loss 3 times` is no value, `loss 3.5` and `loss 3, acc` are.
    rb"|" + _BLANK + rb"([+-]?\d*\.\d+(?:[eE][+-]?\d+)?)(?=[\s,;|)\]%]|$)"
    rb"|" + _BLANK + rb"(" + VALUE + rb")(?=[\s,;|)\]%]|$)(?!\s*[A-Za-z]))"
)


def default_reader(metrics: Sequence[str]) -> Reader:
    """Return the reader of lines that no filter was given for."""
    names = sorted(((name, name.encode()) for name in metrics), key=lambda n: -len(n[1]))

    def read(line: bytes) -> list[Reading]:
        found: list[tuple[int, int, Reading]] = []
        taken: set[int] = set()  # by longer names
        for text, name in names:
            known = len(found)
            start = line.find(name)
            while start >= 0:
                end = start + len(name)
                value = _value_after(line, start, end)
                if value is not None and start not in taken:
                    found.append((start, end, Reading(text, float(value[0]), value[1])))
                start = line.find(name, end)
            for first, end, _ in found[known:]:
                taken.update(range(first, end))
        if len(found) > 1:
            found.sort()
        return [reading for _, _, reading in found]

    return read


def _value_after(line: bytes, start: int, end: int) -> tuple[bytes, int] | None:
    before = line[start - 1] if start else 0x20
    if before in _NAME_BYTES:
        return None
    if before in _QUOTES and line[end : end + 1] == line[start - 1 : start]:
        end += 1
    found = _AFTER.match(line, end)
    if found is None:
        return None
    group = found.lastindex or 0
    return found[group], found.start(group)


def _plain(block: bytes) -> bytes:
    """Take out what is for the eye; a progress bar that goes back begins a line."""
    if b"\x1b" in block:
        block = _ESCAPES.sub(b"", block)
    return block.replace(b"\x08", b"\r")


class TextParser:
    """Reads samples off a stream of lines, each line once, as it comes."""

    def __init__(self, metrics: Sequence[str], reader: Reader | None = None) -> None:
        self._names = tuple(name.encode() for name in metrics)
        self._read = reader or default_reader(metrics)
        self._lines = LineBuffer()
        self._table = Table(metrics) if reader is None else None
        self._learns = reader is None
        self._reads = False
        self._shape: Shape | None = None

    @property
    def header(self) -> bytes:
        """The line of names below which a table may go on; nothing where there is none."""
        return self._table.header if self._table and self._table.open else b""

    def feed(self, data: bytes, at: float) -> list[PlainSample]:
        """Take bytes that arrived at `at`; return the samples of the lines that ended."""
        block = self._lines.feed(data)
        return self._block(block, at) if block else []

    def finish(self, at: float) -> list[PlainSample]:
        """Read the last line, which had no end."""
        return self._block(self._lines.finish(), at)

    def _block(self, block: bytes, at: float) -> list[PlainSample]:
        block = _plain(block)
        if not (self._table and self._table.open) and not any(n in block for n in self._names):
            return []
        if self._shape is not None:
            read = self._shape.read(block, at)
            if read is not None:
                return read
            self._shape = None
        return self._one_by_one(block.splitlines(), at)

    def _one_by_one(self, lines: Sequence[bytes], at: float) -> list[PlainSample]:
        """Read line by line, until the shape of one is that of all the others."""
        samples: list[PlainSample] = []
        for place, line in enumerate(lines, start=1):
            known = self._shape
            samples += self._any_line(line, at)
            if self._shape is not known:
                rest = b"".join(each + b"\n" for each in lines[place:])
                read = self._shape.read(rest, at) if self._shape else None
                if read is not None:
                    return samples + read
        return samples

    def _any_line(self, line: bytes, at: float) -> list[PlainSample]:
        if any(name in line for name in self._names):
            pieces = cut_line(line) if len(line) > LONGEST_LINE else (line,)
            return [sample for piece in pieces for sample in self._line(piece, at)]
        if self._table and self._table.open and len(line) < LONGEST_LINE:
            found, step = self._table.row(line)
            return [Sample(name, value, at, step) for name, value in found]
        return []

    def _line(self, line: bytes, at: float) -> list[PlainSample]:
        values = self._read(line)
        if not values:
            if self._table is not None:
                self._table.begin(line)
            return []
        stamp = line_time(line)
        step = line_step(line)
        # What is printed once need not be learnt.
        if self._learns and self._reads and self._shape is None:
            self._shape = learn(line, values, self._names)
        self._reads = True
        time = at if stamp is None else stamp
        count = None if step is None else step[0]
        return [Sample(metric, value, time, count) for metric, value, _ in values]
