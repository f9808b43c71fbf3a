"""Metrics in lines that are JSON objects."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...api.observation import PlainSample, Sample
from .lines import LineBuffer
from .marks import timestamp
from .numbers import to_number

_LONGEST = 1 << 20
_STEP_KEYS = ("global_step", "step", "iteration", "epoch")


class JsonLinesParser:
    """Reads samples off lines of JSON: numbers, or numbers as strings.

    A metric is a key, or a path through nested objects with points (`val.loss`).
    What is no JSON object is skipped.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = [(name, tuple(name.split("."))) for name in metrics]
        self._lines = LineBuffer(_LONGEST)

    def feed(self, data: bytes, at: float) -> list[PlainSample]:
        return self._block(self._lines.feed(data), at)

    def finish(self, at: float) -> list[PlainSample]:
        return self._block(self._lines.finish(), at)

    def _block(self, block: bytes, at: float) -> list[PlainSample]:
        return [sample for line in block.splitlines() for sample in self._line(line, at)]

    def _line(self, line: bytes, at: float) -> list[PlainSample]:
        if not line.strip():
            return []
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            return []
        found = [
            (name, value)
            for name, path in self._metrics
            if (value := _number(_at(document, name, path))) is not None
        ]
        if not found:
            return []
        time = _time(document.get("timestamp"))
        step = _step(document)
        return [Sample(name, value, at if time is None else time, step) for name, value in found]


def _at(document: Mapping[str, Any], name: str, path: tuple[str, ...]) -> object:
    if name in document:
        return document[name]
    node: object = document
    for key in path:
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return to_number(value) if isinstance(value, str) else None


def _time(value: object) -> float | None:
    if isinstance(value, str):
        stamp = timestamp(value)
        return _finite(to_number(value)) if stamp is None else stamp
    return _finite(_number(value))


def _finite(number: float | None) -> float | None:
    return number if number is not None and abs(number) < 1e12 else None


def _step(document: Mapping[str, Any]) -> int | None:
    for key in _STEP_KEYS:
        number = _finite(_number(document.get(key)))
        if number is not None and number == int(number):
            return int(number)
    return None
