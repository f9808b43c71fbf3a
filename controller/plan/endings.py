"""Why a running trial must end, and what becomes of one that we ended.

The cause is never remembered: it is found again from what is recorded, so that
a crash between asking a workload to end and its end changes nothing.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from ...api.states import TrialState
from . import reasons
from .actions import Finish, Repeat
from .completion import End
from .deadlines import active_until, leased_until, pending_until
from .view import EndReason, Leaving, TrialView, Verb, View, Wish
from .wishes import excess, pausing_now


class Cause(StrEnum):
    EARLY_STOP = "early stop"
    PERSON = "person"
    EXPERIMENT = "experiment"
    ACTIVE_DEADLINE = "active deadline"
    PENDING_DEADLINE = "pending deadline"
    LEASE = "lease"
    REPEAT = "repeat"
    PAUSE = "pause"
    PARALLELISM = "parallelism"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Moment:
    """What all trials of one view are judged by: found once, not once a trial."""

    now: float
    end: End | None
    by_wish: dict[int, Wish]
    pausing: bool
    excess: frozenset[int]


def moment(view: View, now: float, end: End | None) -> Moment:
    wishes = {
        wish.index: wish
        for wish in view.wishes
        if wish.index is not None
        and wish.verb in {Verb.TRIAL_STOP, Verb.TRIAL_RETRY, Verb.TRIAL_DROP}
    }
    return Moment(now, end, wishes, pausing_now(view), excess(view))


def cause(view: View, trial: TrialView, moment: Moment) -> Cause | None:  # noqa: PLR0911 - a ladder
    """Why the trial's attempt must end; None when it may go on.

    What keeps an observation first, then what ends the trial, then what only
    interrupts it.
    """
    if trial.early_stop is not None:
        return Cause.EARLY_STOP
    wish = moment.by_wish.get(trial.index)
    if wish is not None and wish.verb is not Verb.TRIAL_RETRY:
        return Cause.PERSON
    if moment.end is not None and moment.end.at_once:
        return Cause.EXPERIMENT
    overdue = _overdue(view, trial, moment.now)
    if overdue is not None:
        return overdue
    if wish is not None:
        return Cause.REPEAT
    if moment.pausing:
        return Cause.PAUSE
    if trial.index in moment.excess:
        return Cause.PARALLELISM
    if view.leaving is not None:
        return Cause.LEAVING
    return None


def _overdue(view: View, trial: TrialView, now: float) -> Cause | None:
    at = trial.exit.at if trial.exit is not None else now
    until = active_until(view, trial)
    if until is not None and at >= until:
        return Cause.ACTIVE_DEADLINE
    until = pending_until(view, trial)
    if until is not None and at >= until:
        return Cause.PENDING_DEADLINE
    until = leased_until(view, trial)
    if until is not None and at >= until:
        return Cause.LEASE
    return None


def grace(view: View) -> float:
    """Return how long a workload may take to end: as its own template says, or not at all."""
    return 0.0 if view.leaving is Leaving.AT_ONCE else math.inf


def ended_by_us(trial: TrialView) -> bool:
    """Say whether the attempt's end was not its own."""
    return trial.exit is not None and trial.exit.reason is EndReason.STOPPED


def consequence(view: View, trial: TrialView, why: Cause | None, moment: Moment) -> Finish | Repeat:
    """Return what becomes of a trial whose attempt we ended, or never began, for that cause."""
    index, policy = trial.index, view.policy
    match why:
        case Cause.EARLY_STOP:
            reason = reasons.EARLY_STOPPED
            text = reason.about(trial.early_stop or "")
            return Finish(index, TrialState.EARLY_STOPPED, reason.name, text)
        case Cause.PERSON:
            reason = reasons.TRIAL_KILLED
            return Finish(index, TrialState.KILLED, reason.name, reason.message)
        case Cause.EXPERIMENT:
            reason = reasons.EXPERIMENT_ENDED
            text = reason.about(moment.end.reason if moment.end else "")
            return Finish(index, TrialState.KILLED, reason.name, text)
        case Cause.ACTIVE_DEADLINE:
            # Taking too long is a property of the point: the algorithm hears of it.
            reason = reasons.DEADLINE_EXCEEDED
            text = reason.about(f"{policy.active_deadline:g}")
            return Finish(index, TrialState.FAILED, reason.name, text, own_failure=True)
        case Cause.PENDING_DEADLINE:
            reason = reasons.PENDING_DEADLINE_EXCEEDED
            waits = f": {trial.waits_for}" if trial.waits_for else ""
            text = reason.about(f"{policy.pending_deadline:g}") + waits
            return Finish(index, TrialState.FAILED, reason.name, text)
        case Cause.LEASE:
            reason = reasons.LEASE_OVER
        case Cause.REPEAT:
            reason = reasons.REPEATED
        case Cause.PAUSE:
            reason = reasons.PAUSED
        case _:
            reason = reasons.INTERRUPTED
    return Repeat(index, counted=False, at=moment.now, reason=reason.name, message=reason.message)
