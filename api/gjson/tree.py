"""What a GJSON path consists of.

A path is a chain of stages, each asked of what the one before it found. Within a
walk keys lead from value to value; `#` and a query end it, for what follows
them behind a dot is asked of each element.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias


class Absent(Enum):
    """That nothing was found. A path that led nowhere asks no further stage."""

    MISSING = "missing"
    NOWHERE = "nowhere"


MISSING: Final = Absent.MISSING


@dataclass(frozen=True, slots=True)
class Key:
    """A member's name or an element's index; `pattern` where it holds wildcards."""

    text: str
    pattern: "re.Pattern[str] | None" = None


@dataclass(frozen=True, slots=True)
class Elements:
    """`#`: how many elements there are; with `tail`, what it finds in each of them."""

    tail: "Path | None" = None


@dataclass(frozen=True, slots=True)
class Query:
    """`#(…)`: the first element that answers the question, `#(…)#`: all of them.

    Without `path` the question is asked of the elements themselves; without
    `operator` it is whether something is there.
    """

    path: "Path | None"
    operator: str
    value: str
    every: bool
    tail: "Path | None" = None
    pattern: "re.Pattern[str] | None" = None


@dataclass(frozen=True, slots=True)
class Walk:
    keys: tuple[Key, ...]
    end: Elements | Query | None = None


@dataclass(frozen=True, slots=True)
class Modifier:
    name: str
    argument: Any = None


@dataclass(frozen=True, slots=True)
class ArrayOf:
    members: tuple["Path", ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    members: tuple[tuple[str, "Path"], ...]


Stage: TypeAlias = Walk | Modifier | ArrayOf | ObjectOf


@dataclass(frozen=True, slots=True)
class Path:
    stages: tuple[Stage, ...]


def glob(pattern: str) -> "re.Pattern[str]":
    """Compile `*`, `?` and escapes; to match takes time linear in the text.

    The leftmost place of a piece between two stars leaves the most to what
    follows, so that none needs to be tried again.
    """
    pieces = [""]
    for sign in re.findall(r"\\.|[^\\]", pattern, re.DOTALL):
        if sign == "*":
            pieces.append("")
        else:
            pieces[-1] += "." if sign == "?" else re.escape(sign[-1])
    first, *middle = pieces
    last = middle.pop() if middle else None
    within = "".join(f"(?>.*?{piece})" for piece in middle if piece)
    return re.compile(first + within + ("" if last is None else f".*{last}"), re.DOTALL)
