"""A point that somebody asked for, to try it themselves."""

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
