"""A point that somebody asked for, to try it themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .space import Point


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt of a trial. `token` shows who holds it, until `until` (epoch seconds)."""

    index: int
    trial: str
    attempt: int
    token: str
    parameters: Point
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to asking for a point: `point` is None if there is none now.

    `over` says that there will be none later either, `why` explains it in lines.
    """

    point: Asked | None
    over: bool
    why: Sequence[str]


def is_asked(document: Mapping[str, object]) -> bool:
    """Say whether an Experiment's trials are asked for, not run."""
    spec = document.get("spec")
    return isinstance(spec, Mapping) and spec.get("askTell") is not None
