"""What follows an attempt that ended by itself: success, another attempt, or failure."""

from collections.abc import Sequence

from ...api.policy import OnLost
from ...api.states import TrialState
from . import reasons
from .actions import Finish, Repeat
from .deadlines import metrics_until
from .view import EndReason, Exit, TrialView, View

LONGEST_BACKOFF = 300.0
MOST_DOUBLINGS = 64
"""More change nothing, and leave the range of a float in the end."""

_MOST_NAMES = 20
"""How many metrics are named that were seen instead: a program may report thousands."""


def after_own_end(view: View, trial: TrialView, end: Exit, now: float) -> Finish | Repeat | None:
    """Decide what follows; None while late metrics are waited for."""
    if end.reason is EndReason.COMPLETED:
        return completed(view, trial, now)
    if end.reason is EndReason.LOST:
        return _lost(view, trial, end)
    if end.reason is EndReason.REFUSED:
        text = reasons.TRIAL_REFUSED.about(end.message)
        return Finish(trial.index, TrialState.FAILED, reasons.TRIAL_REFUSED.name, text)
    return _failed(view, trial, end)


def completed(view: View, trial: TrialView, now: float) -> Finish | Repeat | None:
    """Follow a program that ended well: by its objective, or by the lack of it."""
    if trial.value is not None:
        if trial.completed + 1 < view.policy.repeats:
            return _once_more(view, trial, now)
        reason = reasons.CONSTRAINT_BROKEN if trial.broken else reasons.TRIAL_SUCCEEDED
        text = reason.about(trial.broken)
        return Finish(trial.index, TrialState.SUCCEEDED, reason.name, text)
    until = metrics_until(trial)
    if until is not None and now < until:
        return None
    reason = reasons.METRICS_UNAVAILABLE
    text = reason.about(view.objective.metric.name)
    if trial.metrics_seen:
        text += f"; seen: {_some_of(trial.metrics_seen)}"
    return Finish(trial.index, TrialState.METRICS_UNAVAILABLE, reason.name, text)


def _some_of(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown


def _once_more(view: View, trial: TrialView, now: float) -> Repeat:
    """Run the same point again: what a trial comes to is the mean of its runs."""
    reason = reasons.REPEATING
    text = reason.about(f"{trial.completed + 1} of {view.policy.repeats}")
    return Repeat(trial.index, counted=False, at=now, reason=reason.name, message=text)


def _failed(view: View, trial: TrialView, end: Exit) -> Finish | Repeat:
    """Try again as often as the file says, each time after twice the pause."""
    if trial.retries < view.policy.retries:
        pause = _doubled(view.policy.backoff_seconds, trial.retries)
        reason = reasons.RETRYING
        return Repeat(
            trial.index,
            counted=True,
            at=end.at + pause,
            reason=reason.name,
            message=reason.about(end.message),
        )
    out_of_memory = end.reason is EndReason.OUT_OF_MEMORY
    reason = reasons.OUT_OF_MEMORY if out_of_memory else reasons.TRIAL_FAILED
    text = reason.about(end.message)
    return Finish(trial.index, TrialState.FAILED, reason.name, text, own_failure=True)


def _lost(view: View, trial: TrialView, end: Exit) -> Finish | Repeat:
    """Run again, uncounted: at once the first time, then slower while it keeps vanishing."""
    if view.policy.on_lost is OnLost.FAIL:
        reason = reasons.TRIAL_LOST
        return Finish(trial.index, TrialState.FAILED, reason.name, reason.about(end.message))
    pause = _doubled(1.0, trial.losses) if trial.losses else 0.0
    reason = reasons.LOST_RETRYING
    text = reason.about(end.message)
    return Repeat(trial.index, counted=False, at=end.at + pause, reason=reason.name, message=text)


def _doubled(seconds: float, times: int) -> float:
    """Return a pause that was doubled so often, up to the longest."""
    return min(seconds * 2.0 ** min(times, MOST_DOUBLINGS), LONGEST_BACKOFF)
