"""What GJSON's modifiers make of a value. `@dig` asks a path, and stands with the finder."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from .tree import MISSING, Absent


def modified(name: str, value: Any, argument: Any) -> Any:
    change = _PLAIN.get(name)
    if change is not None:
        return change(value)
    told = _TOLD.get(name)
    return value if told is None else told(value, argument if isinstance(argument, dict) else {})


def _reverse(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(reversed(value.items()))
    return value[::-1] if isinstance(value, list) else value


def _keys(value: Any) -> Any:
    if isinstance(value, Absent):
        return []
    if isinstance(value, dict):
        return list(value)
    return [None] * (len(value) if isinstance(value, list) else 1)


def _values(value: Any) -> Any:
    if isinstance(value, Absent):
        return []
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _to_text(value: Any) -> Any:
    if isinstance(value, Absent):
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _from_text(value: Any) -> Any:
    if not isinstance(value, str):
        return MISSING if value is None else value
    try:
        return json.loads(value)
    except ValueError:
        return MISSING


def _group(value: Any) -> Any:
    """Turn an object of columns into an array of rows."""
    if not isinstance(value, dict):
        return MISSING
    rows: list[dict[str, Any]] = []
    for name, column in value.items():
        for row, each in enumerate(column if isinstance(column, list) else ()):
            if row == len(rows):
                rows.append({})
            rows[row][name] = each
    return rows


def _flatten(value: Any, options: Mapping[str, Any]) -> Any:
    if not isinstance(value, list):
        return value
    deep = options.get("deep") is True
    flat: list[Any] = []
    waiting = value[::-1]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, list):
            flat.append(each)
        elif deep:
            waiting += each[::-1]
        else:
            flat += each
    return flat


def _join(value: Any, options: Mapping[str, Any]) -> Any:
    """Make one object of an array's; of members with one name the last, or `preserve` the first."""
    if not isinstance(value, list):
        return value
    first = options.get("preserve") is True
    joined: dict[str, Any] = {}
    for each in value:
        for name, member in each.items() if isinstance(each, dict) else ():
            if not (first and name in joined):
                joined[name] = member
    return joined


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "reverse": _reverse,
    "keys": _keys,
    "values": _values,
    "tostr": _to_text,
    "fromstr": _from_text,
    "group": _group,
}
_TOLD: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {"flatten": _flatten, "join": _join}
CHANGING = {*_PLAIN, *_TOLD}
"""Those that go through a value. @this, @valid, @ugly and @pretty leave it as it is."""
