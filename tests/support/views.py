"""Views of an experiment for tables: what matters in a row is what stands in it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.policy import Policy
from tunewright.api.states import ExperimentState, TrialState
from tunewright.controller.plan.view import Counts, EndReason, Exit, Phase, TrialView, View

NOW = 1000.0
OBJECTIVE = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
POLICY = Policy(max_trials=10, parallel=2)


def view(*trials: TrialView, policy: Policy = POLICY, **changes: Any) -> View:
    """An experiment that runs, with these unfinished trials; all that is proposed is theirs."""
    last = max((trial.index for trial in trials), default=-1)
    counts = changes.pop("counts", Counts(proposed=last + 1))
    state = changes.pop("state", ExperimentState.RUNNING)
    return View(policy, OBJECTIVE, trials=trials, counts=counts, state=state, **changes)


def counted(
    proposed: int = 0, *, best: float | None = None, observed: int = 0, **by_state: int
) -> Counts:
    """Totals: `succeeded=3, failed=1`."""
    names = {
        "succeeded": TrialState.SUCCEEDED,
        "failed": TrialState.FAILED,
        "unavailable": TrialState.METRICS_UNAVAILABLE,
        "killed": TrialState.KILLED,
    }
    since = by_state.pop("since_improvement", 0)
    states = {names[name]: count for name, count in by_state.items()}
    return Counts(proposed or sum(by_state.values()), states, observed, since, best)


def waiting(index: int, **changes: Any) -> TrialView:
    """A trial that was proposed and has not been started."""
    return replace(TrialView(index), **changes)


def running(index: int, **changes: Any) -> TrialView:
    """A trial whose first attempt runs since 900."""
    trial = TrialView(index, TrialState.RUNNING, Phase.RUNNING, 1, began_at=900.0, running_at=900.0)
    return replace(trial, **changes)


def starting(index: int, **changes: Any) -> TrialView:
    """A trial whose first attempt is recorded since 900, and not known to run."""
    return replace(TrialView(index, phase=Phase.STARTING, attempt=1, began_at=900.0), **changes)


def ended(index: int, reason: EndReason = EndReason.COMPLETED, **changes: Any) -> TrialView:
    """A trial whose first attempt ran from 900 to 990."""
    end = Exit(reason, at=990.0, message="it said so", exit_code=0)
    return replace(running(index), **{"phase": Phase.ENDED, "exit": end} | changes)


def kinds(actions: Sequence[object]) -> list[str]:
    return [type(action).__name__ for action in actions]
