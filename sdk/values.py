"""Trials, their values and points to try, as a client returns them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ..api.asked import Asked
from ..api.observation import read_value

Point: TypeAlias = Asked
"""A point that was asked for: `parameters`, and what names it when it is told."""


class Sample(NamedTuple):
    """One value of a metric. `time` is seconds since the epoch; `step` None where none was said."""

    metric: str
    value: float
    time: float
    step: int | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial. `value` is the objective's; `data` everything that `-o json` shows.

    Where a metric is a text, its value is NaN, and `str(value)` the text.
    """

    index: int
    name: str
    state: str
    parameters: Mapping[str, Any]
    value: float | None
    metrics: Mapping[str, float]
    data: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Trial":
        metrics = {
            name: read_value(str(found["value"]))
            for name, found in (data.get("metrics") or {}).items()
            if found.get("value") is not None
        }
        value = data.get("value")
        return cls(
            index=data["index"],
            name=data["name"],
            state=data["state"],
            parameters=dict(data["parameters"]),
            value=None if value is None else read_value(str(value)),
            metrics=metrics,
            data=data,
        )
