"""A point that somebody asked for, to try it themselves."""

from collections.abc import Mapping
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


def is_asked(document: Mapping[str, object]) -> bool:
    """Say whether an Experiment's trials are asked for, not run."""
    spec = document.get("spec")
    return isinstance(spec, Mapping) and spec.get("askTell") is not None
