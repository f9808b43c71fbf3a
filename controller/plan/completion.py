"""When an experiment is over, and as what."""

from dataclasses import dataclass

from ...api.history import SearchState
from ...api.states import ExperimentState
from ...api.words import counted
from . import reasons
from .reasons import Reason
from .view import Counts, Phase, Verb, View

PATIENCE = 10
"""How often an algorithm may answer "wait" while nothing is left that it could wait for."""


@dataclass(frozen=True, slots=True)
class End:
    """The experiment's end. `at_once` stops what runs; else it is let finish first."""

    state: ExperimentState
    reason: str
    message: str
    at_once: bool = True


def judge(view: View, counts: Counts) -> End | None:  # noqa: PLR0911 - a ladder, one return a rung
    """Judge the experiment by `counts`; None while it should go on.

    The most decisive cause first: what a person asked, the goal, failures, budgets.
    """
    policy = view.policy
    # A person's word.
    if any(wish.verb is Verb.STOP for wish in view.wishes):
        return _stopped(counts)
    # The purpose is reached.
    if counts.reached or view.objective.reaches_goal(counts.best):
        return _success(view, counts, reasons.GOAL_REACHED)
    # Going on would waste time. A limit of 0 tolerates no failure, as 1 does.
    limit = policy.max_failed
    if limit is not None and counts.failed >= max(limit, 1):
        return _failure(reasons.MAX_FAILED_REACHED)
    ended = counts.finished - view.known
    enough = max(3, policy.parallel)
    if limit is None and ended >= enough and counts.failed == ended:
        return _failure(reasons.EVERYTHING_FAILED, str(ended))
    # Budgets.
    if policy.max_trials is not None and ended >= policy.max_trials:
        return _success(view, counts, reasons.MAX_TRIALS_REACHED)
    if policy.max_duration is not None and view.active_seconds >= policy.max_duration:
        return _success(view, counts, reasons.MAX_DURATION_REACHED)
    patience = policy.no_improvement
    if patience is not None and counts.since_improvement >= patience.trials:
        return _success(view, counts, reasons.NO_IMPROVEMENT, counted(patience.trials, "trial"))
    return _search_over(view, counts)


def _stopped(counts: Counts) -> End:
    """Return what a person's word makes of it: a success only when something was observed."""
    state = ExperimentState.SUCCEEDED if counts.observed else ExperimentState.FAILED
    return End(state, reasons.STOPPED.name, reasons.STOPPED.message)


def _search_over(view: View, counts: Counts) -> End | None:
    """Judge by the algorithm: it has no more points, cannot go on, or waits for nothing."""
    search = view.search
    if search.failure is not None:
        return _failure(reasons.SEARCH_FAILED, search.failure, at_once=False)
    if search.state is SearchState.EXHAUSTED:
        # By a reason of its own: a raised budget, which takes back the other, brings no points.
        without = reasons.NO_OBSERVATION_IN_SPACE
        return _success(view, counts, reasons.SEARCH_EXHAUSTED, without=without, at_once=False)
    if search.waits >= PATIENCE and not view.trials:
        return _failure(reasons.SEARCH_STALLED)
    return None


def _success(
    view: View,
    counts: Counts,
    reason: Reason,
    detail: str = "",
    *,
    without: Reason = reasons.NO_OBSERVATION,
    at_once: bool = True,
) -> End:
    """Return a success, unless nothing was ever observed.

    An end that lets trials finish first is judged again when they have.
    """
    still_running = not at_once and any(trial.phase is not Phase.ENDED for trial in view.trials)
    if counts.observed or still_running:
        return End(ExperimentState.SUCCEEDED, reason.name, reason.about(detail), at_once)
    metric = view.objective.metric.name
    return _failure(without, metric, at_once=at_once)


def _failure(reason: Reason, detail: str = "", *, at_once: bool = True) -> End:
    return End(ExperimentState.FAILED, reason.name, reason.about(detail), at_once)
