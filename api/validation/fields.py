"""Reading a document: wrong types and unknown fields become faults, the rest is kept."""

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from ..errors import Fault
from ..model import Model
from .report import UNKNOWN

_M = TypeVar("_M", bound=Model)

_EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_EMPTY: Mapping[str, Any] = {"model_type": {}, "dict_type": {}, "int_type": 0, "float_type": 0.0}


def read_leniently(model: type[_M], data: Mapping[str, Any]) -> tuple[_M, list[Fault]]:
    """Read what can be read. What has a wrong type is reported, and read as if it were absent."""
    faults: list[Fault] = []
    rest: Any = data
    while True:
        try:
            return model.model_validate(rest), faults
        except ValidationError as error:
            rest = copy.deepcopy(rest)
            # From the back, so that indexes in front stay true.
            for wrong in reversed(error.errors(include_url=False, include_context=False)):
                where = _place(rest, wrong["loc"])
                if not where:
                    return model(), [*faults, Fault("", "must be a mapping")]
                path = path_of(where)
                if _blank(rest, where, wrong["type"]) and all(
                    path != fault.path for fault in faults
                ):
                    faults.append(_wrong_type(path, wrong["type"], wrong["input"]))


def _wrong_type(path: str, kind: str, value: Any) -> Fault:
    expected = _EXPECTED.get(kind, "something else")
    if path.endswith("maxDuration"):
        expected = "a duration, such as 90s or 1h30m"
    shown = repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
    return Fault(path, f"must be {expected}, not {shown}")


def _place(data: Any, loc: Sequence[int | str]) -> list[int | str]:
    """Keep the steps of pydantic's location that exist in the data: others name types."""
    steps: list[int | str] = []
    for step in loc:
        inside = isinstance(data, dict) and step in data
        item = isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)
        if not (inside or item):
            break
        steps.append(step)
        data = data[step]
    return steps


def _blank(data: Any, steps: Sequence[int | str], kind: str) -> bool:
    """Take a value out: from a mapping the key, in a list an empty place stays behind.

    Says whether anything was there: null is as good as absent.
    """
    for step in steps[:-1]:
        data = data[step]
        if data is None:
            return False
    last = steps[-1]
    if isinstance(data, dict):
        return data.pop(last, None) is not None
    data[last] = _EMPTY.get(kind, "")
    return True


def path_of(steps: Sequence[int | str]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def unknown_fields(model: Model, path: str = "") -> Iterator[Fault]:
    """Yield each field that no model knows, with the known one that it resembles."""
    known = [field.alias or name for name, field in type(model).model_fields.items()]
    for name in model.model_extra or {}:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6) or [
            alias for alias in known if alias.lower() == name.lower().replace("_", "")
        ]
        remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
        where = f"{path}.{name}" if path else name
        yield Fault(where, "is not known", remedy, UNKNOWN)
    for below, part in model.parts():
        yield from unknown_fields(part, f"{path}.{below}" if path else below)
