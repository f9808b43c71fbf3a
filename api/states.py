"""The states of experiments and trials, and the one door through which they change.

trial:
             ┌──────────── retry, lost ───────────┐
             ▼                                    │
          Created ────────── starts ─────────▶ Running ──┬─▶ Succeeded
             │                                           ├─▶ MetricsUnavailable
             └── never fits, stopped, known result ──────┼─▶ EarlyStopped
                                                         ├─▶ Failed
                                                         └─▶ Killed

experiment:
          Created ──▶ Running ──▶ Succeeded | Failed ──▶ Restarting ──▶ Running
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class TrialState(StrEnum):
    """Katib's names, as conditions carry them."""

    CREATED = "Created"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    EARLY_STOPPED = "EarlyStopped"
    FAILED = "Failed"
    KILLED = "Killed"

    @property
    def is_finished(self) -> bool:
        return self not in {TrialState.CREATED, TrialState.RUNNING}


class ExperimentState(StrEnum):
    """Katib's names, as conditions carry them."""

    CREATED = "Created"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def is_finished(self) -> bool:
        return self in {ExperimentState.SUCCEEDED, ExperimentState.FAILED}


_TRIAL_ENDS = frozenset(state for state in TrialState if state.is_finished)

TRIAL_EDGES: Mapping[TrialState, frozenset[TrialState]] = {
    # A trial with a known result ends without having run; one that never fits fails.
    TrialState.CREATED: frozenset({TrialState.RUNNING}) | _TRIAL_ENDS,
    # Back to Created: the next attempt, under the same name.
    TrialState.RUNNING: frozenset({TrialState.CREATED}) | _TRIAL_ENDS,
    **{state: frozenset() for state in _TRIAL_ENDS},
}

EXPERIMENT_EDGES: Mapping[ExperimentState, frozenset[ExperimentState]] = {
    ExperimentState.CREATED: frozenset(
        {ExperimentState.RUNNING, ExperimentState.SUCCEEDED, ExperimentState.FAILED}
    ),
    ExperimentState.RUNNING: frozenset({ExperimentState.SUCCEEDED, ExperimentState.FAILED}),
    # A raised budget, or a resume by hand, opens it again.
    ExperimentState.SUCCEEDED: frozenset({ExperimentState.RESTARTING}),
    ExperimentState.FAILED: frozenset({ExperimentState.RESTARTING}),
    ExperimentState.RESTARTING: frozenset(
        {ExperimentState.RUNNING, ExperimentState.SUCCEEDED, ExperimentState.FAILED}
    ),
}

_State = TypeVar("_State", TrialState, ExperimentState)


class UnknownEdge(AssertionError):
    """A passage that the table does not have: a bug of the caller."""


def passage(edges: Mapping[_State, frozenset[_State]], old: _State, new: _State) -> _State:
    """Return `new` if the table lets `old` become it.

    Raises:
        UnknownEdge: the table has no such edge.
    """
    if new not in edges[old]:
        raise UnknownEdge(f"{old} cannot become {new}")
    return new
