"""Lines that differ in their numbers alone, read many at a time.

A training program prints one line over and over. Once a line has been read
with care, the lines of its shape are read by one pattern over the whole block:
what is no number is the same, so that it means the same.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

from ...api.observation import PlainSample
from .marks import line_step
from .reading import Reading

_LONGEST = 1024
_INT = rb"[0-9]{1,18}+"
_FLOAT = rb"\d{1,18}(?:\.\d{1,18}(?:[eE][+-]?\d{1,3})?|[eE][+-]?\d{1,3})"
# Quicker to find than a number proper: what is none is refused by `float`.
_LOOSE = rb"[0-9.eE+-]++"
# A number that stands alone; what is glued to a word is a part of that word.
_NUMBER = re.compile(rb"(?<![\w.@/+-])[+-]?" + rb"(?:(" + _FLOAT + rb")|" + _INT + rb")(?![\w.])")


class Shape:
    """What one line teaches about those like it. Use `learn`."""

    def __init__(
        self, pattern: re.Pattern[bytes], metrics: Sequence[str], step: int | None
    ) -> None:
        self._pattern = pattern
        self._metrics = metrics
        self._step = step

    def read(self, block: bytes, at: float) -> list[PlainSample] | None:
        """Read a block of whole lines, if every line of it has this shape."""
        rows = self._pattern.findall(block)
        if not rows or len(rows) != block.count(b"\n") or not block.endswith(b"\n"):
            return None
        columns = list(zip(*rows, strict=True)) if isinstance(rows[0], tuple) else [rows]
        steps: Iterable[int | None] = repeat(None)
        if self._step is not None:
            steps = tuple(map(int, columns.pop(self._step)))
        try:
            values = [list(map(float, column)) for column in columns]
        except ValueError:
            return None
        logs = [
            # What does not end is cut to the values.
            zip(repeat(metric), numbers, repeat(at), steps)
            for metric, numbers in zip(self._metrics, values, strict=True)
        ]
        if len(logs) == 1:
            return list(logs[0])
        return list(chain.from_iterable(zip(*logs, strict=True)))


def learn(line: bytes, readings: Sequence[Reading], names: Iterable[bytes]) -> Shape | None:
    """Return the shape of a line that was read, if its numbers alone tell its meaning."""
    numbers = list(_NUMBER.finditer(line))
    starts = {number.start(): number for number in numbers}
    if (
        len(line) > _LONGEST
        or b"T" in line[:12]
        or any(_NUMBER.search(name) for name in names)
        or any(reading.start not in starts for reading in readings)
        # Behind a mere blank, or in a cell, what follows the number counts.
        or any(
            line[: reading.start].rstrip(b" \t\"'")[-1:] not in {b"=", b":"} for reading in readings
        )
    ):
        return None
    step = line_step(line)
    step_at = None if step is None else step[1]
    if step_at is not None and (step_at not in starts or starts[step_at][1] is not None):
        return None
    if step_at in {reading.start for reading in readings} or _step_by_fraction(line, numbers):
        return None
    return _shape(line, numbers, readings, step_at)


def _step_by_fraction(line: bytes, numbers: Sequence[re.Match[bytes]]) -> bool:
    """Say whether a number with a fraction would be the step if it had none."""
    fractions = [number for number in numbers if number[1] is not None]
    for number in fractions:
        whole = line[: number.start()] + b"1" + line[number.end() :]
        found = line_step(whole)
        if found is not None and found[1] == number.start():
            return True
    return False


def _shape(
    line: bytes,
    numbers: Sequence[re.Match[bytes]],
    readings: Sequence[Reading],
    step_at: int | None,
) -> Shape:
    metrics = {reading.start: reading.metric for reading in readings}
    parts = [rb"^"]
    captured: list[str | None] = []
    end = 0
    for number in numbers:
        start = number.start()
        kind = _INT if number[1] is None else _LOOSE
        sign = re.escape(line[start : start + 1]) if line[start] in b"+-" else b""
        parts.append(re.escape(line[end:start]))
        if start in metrics:
            parts.append(rb"(" + _LOOSE + rb")")
            captured.append(metrics[start])
        elif start == step_at:
            parts.append(rb"(" + kind + rb")")
            captured.append(None)
        else:
            parts.append(sign + kind)
        end = number.end()
    parts.append(re.escape(line[end:]) + rb"\n")
    step = captured.index(None) if None in captured else None
    pattern = re.compile(b"".join(parts), re.MULTILINE)
    return Shape(pattern, [metric for metric in captured if metric is not None], step)
