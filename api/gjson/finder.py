"""What a GJSON path finds in a document."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .modifiers import CHANGING, modified
from .tree import (
    MISSING,
    Absent,
    ArrayOf,
    Elements,
    Key,
    Modifier,
    ObjectOf,
    Path,
    Query,
    Stage,
    Walk,
)

NOWHERE = Absent.NOWHERE

_MOST_STEPS = 200_000
"""Values that are looked at for one path. Multipaths in one another can ask for any number."""

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INDEX = re.compile(r"[0-9]{1,9}")
_TRUE = {"1", "t", "true"}
_FALSE = {"0", "f", "false"}


class _TooMuchError(Exception):
    """The path asks for more than any condition can mean."""


def find(path: Path, document: Any) -> Any:
    """Return what it finds; MISSING when that is nothing, or it asks for too much."""
    try:
        found = _Finder().path(path, document)
    except (_TooMuchError, RecursionError):
        return MISSING
    return MISSING if isinstance(found, Absent) else found


class _Finder:
    """Finds one path's values, and counts what it looks at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_STEPS

    def path(self, path: Path, value: Any) -> Any:
        for stage in path.stages:
            value = self._stage(stage, value)
            if value is NOWHERE:
                break
        return value

    def _stage(self, stage: Stage, value: Any) -> Any:
        self._spend()
        match stage:
            case Walk(keys, end):
                return self._walk(keys, end, value)
            case ArrayOf(members):
                found = (self.path(member, value) for member in members)
                return [each for each in found if not isinstance(each, Absent)]
            case ObjectOf(members):
                return self._object(members, value)
            case _:
                return self._modified(stage, value)

    def _object(self, members: tuple[tuple[str, Path], ...], value: Any) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for name, member in members:
            found = self.path(member, value)
            if not isinstance(found, Absent):
                built.setdefault(name, found)
        return built

    def _walk(self, keys: tuple[Key, ...], end: Elements | Query | None, value: Any) -> Any:
        self._spend()
        if not isinstance(value, dict | list):
            return NOWHERE
        if not keys:
            if isinstance(end, Query):
                return self._query(end, value)
            return self._elements(end, value)
        found = self._children(keys[0], value)
        if len(keys) == 1 and end is None:
            return found[0] if found else MISSING
        result: Any = NOWHERE
        for child in found:
            there = self._walk(keys[1:], end, child)
            if not isinstance(there, Absent):
                return there
            if there is MISSING:
                result = MISSING
        return result

    def _children(self, key: Key, value: dict[str, Any] | list[Any]) -> list[Any]:
        if isinstance(value, list):
            index = int(key.text) if _INDEX.fullmatch(key.text) else len(value)
            return value[index : index + 1]
        if key.pattern is None:
            return [value[key.text]] if key.text in value else []
        self._spend(len(value))
        return [each for name, each in value.items() if key.pattern.fullmatch(name)]

    def _elements(self, end: Elements | None, value: Any) -> Any:
        tail = None if end is None else end.tail
        if not isinstance(value, list):
            return self._no_array(tail)
        if tail is None:
            return len(value)
        found = (self.path(tail, each) for each in value)
        return [each for each in found if not isinstance(each, Absent)]

    def _query(self, query: Query, value: Any) -> Any:
        if not isinstance(value, list):
            return self._no_array(query.tail)
        chosen = (each for each in value if self._answers(query, each))
        if query.tail is not None:
            chosen = (self.path(query.tail, each) for each in chosen)
        if query.every:
            return [each for each in chosen if not isinstance(each, Absent)]
        return next(chosen, MISSING if query.tail is None else NOWHERE)

    def _no_array(self, tail: Path | None) -> Any:
        """Ask an object: it has no such member, of which only a modifier or multipath is asked."""
        if tail is None:
            return MISSING
        return NOWHERE if isinstance(tail.stages[0], Walk) else self.path(tail, MISSING)

    def _answers(self, query: Query, element: Any) -> bool:
        self._spend()
        found: Any = element
        if query.path is not None:
            if not isinstance(element, dict | list):
                return False
            found = self.path(query.path, element)
        elif isinstance(element, dict | list):
            found = MISSING
        if query.value.startswith("~"):
            return _compares(query, _is(query.value[1:], found), "true")
        if isinstance(found, Absent):
            return False
        return not query.operator or _compares(query, found, query.value)

    def _modified(self, modifier: Modifier, value: Any) -> Any:
        if modifier.name == "dig":
            found = (self.path(modifier.argument, each) for each in self._all(value))
            return [each for each in found if not isinstance(each, Absent)]
        if modifier.name in CHANGING:
            for _ in self._all(value):
                pass  # what a modifier goes through counts
        return modified(modifier.name, value, modifier.argument)

    def _all(self, value: Any) -> Iterator[Any]:
        """Yield a value and all that is in it."""
        waiting = [value]
        while waiting:
            self._spend()
            each = waiting.pop()
            yield each
            if isinstance(each, dict | list):
                inner = each.values() if isinstance(each, dict) else each
                waiting.extend(reversed(list(inner)))

    def _spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise _TooMuchError


def _is(what: str, value: Any) -> bool:
    """Say whether a value is true, false or null in the wider sense, or there at all."""
    absent = isinstance(value, Absent)
    if what == "*":
        return not absent
    nothing = absent or value is None
    if what == "null" or nothing:
        return nothing and what != "true"
    if isinstance(value, str):
        return value.lower() in (_TRUE if what == "true" else _FALSE)
    return isinstance(value, int | float) and bool(value) is (what == "true")


def _compares(query: Query, found: Any, value: str) -> bool:
    """Compare as GJSON does: what is found says in which type."""
    if query.pattern is not None:
        matches = isinstance(found, str) and query.pattern.fullmatch(found) is not None
        return isinstance(found, str) and matches is (query.operator == "%")
    if isinstance(found, bool):
        return _compares_truth(query.operator, found, value)
    if isinstance(found, str):
        return _ORDER[query.operator](found, value)
    return isinstance(found, int | float) and _ORDER[query.operator](found, _number(value))


def _compares_truth(order: str, found: bool, value: str) -> bool:  # noqa: FBT001 -- a value
    if order in {"=", "!="}:
        return _ORDER[order]("true" if found else "false", value)
    # True, the greater, is at least anything, and false at most.
    if order.endswith("="):
        return found is (order == ">=")
    return value in {"true", "false"} and _ORDER[order](found, value == "true")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # as GJSON reads what is no number
