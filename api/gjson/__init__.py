"""GJSON paths, as `successCondition` and `failureCondition` use them.

Known are keys with wildcards and escapes, `#`, queries `#(…)` and `#(…)#`,
modifiers `@name:argument`, and the multipaths `[…]` and `{…}`. What a path finds
is what GJSON finds; what GJSON would silently find nothing with is refused.
"""

from functools import lru_cache
from typing import Any

from .finder import find
from .reader import WrongError, read
from .tree import MISSING, Absent, Path

__all__ = ["MISSING", "Absent", "complaint", "evaluate"]

_read = lru_cache(1024)(read)
"""The paths of an experiment are asked for each of its trials."""


def complaint(path: str) -> str | None:
    """Say what is wrong with a path; None when nothing is."""
    try:
        _read(path)
    except WrongError as wrong:
        return str(wrong)
    return None


def evaluate(path: str, document: Any) -> Any:
    """Return what a path finds in a document; MISSING when that is nothing, or it is no path."""
    try:
        tree: Path = _read(path)
    except WrongError:
        return MISSING
    return find(tree, document)
