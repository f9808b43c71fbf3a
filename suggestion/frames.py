"""What a worker and its owner say to one another.

A frame is four bytes of length, then a pickle: both ends are one program of one
user.
"""

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..api.errors import TunewrightError
from ..api.history import Entry, Suggestion
from ..api.problem import Problem

HEADER = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a problem at position 0."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Learn:
    """Take entries that follow the position."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer with points."""

    first_index: int
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: a suggestion to Ask, an error to any of them."""

    position: int = 0
    suggestion: Suggestion | None = None
    error: TunewrightError | None = None


def pack(message: object) -> bytes:
    """Return a frame."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body
