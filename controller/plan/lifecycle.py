"""The experiment's own state: begun, over, opened again."""

from dataclasses import replace

from ...api.states import EXPERIMENT_EDGES, ExperimentState, TrialState, passage
from . import reasons
from .actions import Status
from .completion import End, judge
from .reasons import Reason
from .view import Verb, View

_BUDGETS = frozenset(
    {
        reasons.MAX_TRIALS_REACHED.name,
        reasons.MAX_DURATION_REACHED.name,
        reasons.NO_IMPROVEMENT.name,
        reasons.NO_OBSERVATION.name,
    }
)
"""Ends that a raised budget takes back by itself, without a `resume`."""

_TRIALS = frozenset({reasons.MAX_TRIALS_REACHED.name, reasons.NO_OBSERVATION.name})
"""The reasons for which maxTrialCount ends an experiment: the second if no trial has a value."""

NEVER = "resumePolicy is Never in the file: start a new experiment, or remove that line"


def standing(view: View) -> Status:
    return Status(view.state, view.reason, view.message)


def passed(view: View, state: ExperimentState, reason: str, message: str) -> Status:
    """Return the status in that state; the present one, reason and all, if it is in it already."""
    if state is view.state:
        return standing(view)
    return Status(passage(EXPERIMENT_EDGES, view.state, state), reason, message)


def ended(view: View, end: End) -> Status:
    return passed(view, end.state, end.reason, end.message)


def going(view: View) -> Status:
    """Return the status of an experiment that goes on, or waits for a place to begin."""
    if view.ahead and view.state is ExperimentState.CREATED:
        return standing(view)
    return _as(view, ExperimentState.RUNNING, reasons.RUNNING)


def reopened(view: View) -> Status | None:
    """Return Restarting when an ended experiment is to go on; None when it stays ended."""
    if not wants_reopening(view) or why_closed(view):
        return None
    return _as(view, ExperimentState.RESTARTING, reasons.RESTARTING)


def wants_reopening(view: View) -> bool:
    asked = any(wish.verb is Verb.RESUME for wish in view.wishes)
    return asked or (view.reason in _BUDGETS and view.policy.may_restart)


def why_closed(view: View) -> str:
    """Say why an ended experiment cannot go on; empty when it can.

    What its search last answered closes nothing: it is asked anew.
    """
    if not view.policy.may_restart:
        return NEVER
    again = judge(replace(view, search=view.search.anew()), view.counts)
    if again is None:
        return ""
    killed, budget = view.counts.of(TrialState.KILLED), view.policy.max_trials
    is_used_up = budget is not None and view.counts.finished - view.known >= budget
    if killed and is_used_up and again.reason in _TRIALS:
        return f"maxTrialCount {budget} is used up (killed trials: {killed}); raise it to continue"
    remedy = reasons.BY_NAME[again.reason].remedy
    return again.message + (f"; {remedy}" if remedy else "")


def _as(view: View, state: ExperimentState, reason: Reason) -> Status:
    return passed(view, state, reason.name, reason.message)
