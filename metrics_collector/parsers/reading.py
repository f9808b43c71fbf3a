"""One value on one line."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Reading(NamedTuple):
    """A metric, its value, and where in the line the value begins."""

    metric: str
    value: float
    start: int


Reader: TypeAlias = Callable[[bytes], list[Reading]]
"""Reads the values off one line that may hold a metric, in their order."""
