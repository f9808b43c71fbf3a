"""The log of an experiment, as algorithms see it.

An algorithm is a fold over this log (law 2): the same entries in the same
order give the same points, whoever asks, and however often it was restarted.
The store numbers the entries from 1 without gaps, in the order in which they
happened.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from .objective import Objective, Outcome
from .observation import TextValue
from .space import Point
from .states import TrialState

INITIAL, WARM_START, USER = "initial", "warm start", "user"
GIVEN = frozenset({INITIAL, WARM_START, USER})
"""Where points come from that no algorithm made: the file, other experiments, a person."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A point, before it is a trial.

    `reason` says why an algorithm repeats a point on purpose, or where a point
    that it did not make comes from (one of `GIVEN`); `labels` go to the
    trial; `parent` names the trial it continues; `name` is a plug-in's own
    name for it.
    """

    point: Point
    reason: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    name: str | None = None


class Verdict(StrEnum):
    """What an ended trial tells an algorithm."""

    OBSERVED = "observed"  # it has a value of the objective, early stopped or not
    BAD = "bad"  # it failed by its own exit, breaks a constraint, or its value is not finite
    NOTHING = "nothing"  # killed, lost, without metrics, or with a text: neither good nor bad


_WELL = frozenset({TrialState.SUCCEEDED, TrialState.EARLY_STOPPED})


def verdict_of(outcome: Outcome, state: TrialState, *, own_failure: bool) -> Verdict:
    """Return what a trial that ended so tells. `own_failure`: it failed by its own exit."""
    if own_failure:
        return Verdict.BAD
    if state not in _WELL or outcome.value is None or isinstance(outcome.value, TextValue):
        return Verdict.NOTHING
    is_good = math.isfinite(outcome.value) and not outcome.broken
    return Verdict.OBSERVED if is_good else Verdict.BAD


@dataclass(frozen=True, slots=True)
class Proposed:
    """Trial `index` was recorded with this point; it is pending until it is finished.

    `made_from` is the position that the fold had when the point was made.
    """

    position: int
    index: int
    proposal: Proposal
    made_from: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Trial `index` ended. `value` is the objective's, by its strategy; None without one.

    `values` holds every other metric's, and `deviation` the spread of a point
    that was repeated.
    """

    position: int
    index: int
    state: TrialState
    verdict: Verdict
    value: float | None
    values: tuple[tuple[str, float], ...] = ()
    deviation: float | None = None

    @classmethod
    def of(
        cls, position: int, index: int, state: TrialState, verdict: Verdict, outcome: Outcome
    ) -> "Finished":
        value, values, deviation = outcome.value, outcome.values, outcome.deviation
        return cls(position, index, state, verdict, value, values, deviation)

    def loss(self, objective: Objective) -> float | None:
        """Return what the best has least of, None where it is out of question.

        Texts cannot be compared: as in Katib, the last trial with one is the best.
        """
        if self.state in _WELL and isinstance(self.value, TextValue):
            return float(-self.index)
        if self.verdict is not Verdict.OBSERVED or self.value is None:
            return None
        return objective.loss(self.value)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A person took trial `index` out: it counts for nothing, and was never seen."""

    position: int
    index: int


Entry: TypeAlias = Proposed | Finished | Dropped


class SearchState(StrEnum):
    """What an answer of an algorithm means."""

    MORE = "more"  # ask again when a slot is free
    WAIT = "wait"  # nothing more until a trial ends
    EXHAUSTED = "exhausted"  # there are no more points


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The answer of an algorithm: at most as many proposals as were asked for.

    `note` is for the person who looks: what was chosen and why. `forgotten` counts
    the trials that a plug-in no longer knows since the answer before this one.
    """

    proposals: tuple[Proposal, ...]
    state: SearchState = SearchState.MORE
    note: str = ""
    forgotten: int = 0
