"""`plan`: one pass over the view, from what has happened to what comes next."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from ...api.objective import Outcome
from ...api.states import TrialState
from . import reasons
from .actions import Action, Adopt, Answer, AnswerStop, Finish, Plan, Repeat, Status, Stop
from .budget import ask, initial, starts
from .completion import End, judge
from .deadlines import wake_at
from .endings import Cause, Moment, cause, consequence, ended_by_us, grace, moment
from .lifecycle import ended, going, reopened, standing, wants_reopening, why_closed
from .retries import after_own_end
from .view import Counts, Phase, TrialView, Verb, View
from .wishes import adding, carry_out, suspended

Settled: TypeAlias = dict[int, Finish | Repeat | Adopt]
"""What becomes of the trials that this plan takes a step further, by index."""


def plan(view: View, now: float) -> Plan:
    """Choose what the experiment needs next.

    Pure: the same view and time give the same plan. Carrying it out and
    planning again, any number of times and with a crash anywhere in between,
    leads to the same end.
    """
    if view.state.is_finished:
        again = reopened(view)
        if again is not None:
            return Plan((), again, wake_at=now)
    settled, counts = _settle(view, now)
    over = _judge(view, counts)
    stops = _end(view, settled, moment(view, now, over))
    unfinished = [
        trial.index
        for trial in view.trials
        if not isinstance(settled.get(trial.index), Finish | Adopt)
    ]
    is_over = over is not None and not unfinished
    actions = [
        *_outcomes(view, settled),
        *_refused_reopening(view),
        *stops,  # before the answer of the wish that asks for them
        *carry_out(view, unfinished, over=is_over),
    ]
    # An end that lets trials finish lets those that have a point begin, too.
    if (over is None or not over.at_once) and _may_begin(view):
        actions += _begin(view, counts, settled, unfinished, now)
    status = _status(view, over, is_over=is_over)
    return Plan(
        actions=tuple(actions),
        status=status,
        wake_at=_wake(view, settled, now),
        done=_is_done(view, status, actions),
    )


def _settle(view: View, now: float) -> tuple[Settled, Counts]:
    """Settle what ended whatever the experiment does, and count it."""
    settled: Settled = {}
    counts = view.counts
    early = moment(view, now, None)
    for trial in view.trials:
        step = _step(view, trial, early)
        if step is None:
            continue
        settled[trial.index] = step
        if isinstance(step, Finish):
            counts = view.ending(counts, step.state, trial.outcome)
        elif isinstance(step, Adopt):
            counts = view.ending(counts, TrialState.SUCCEEDED, _given(view, trial))
    return settled, counts


def _step(view: View, trial: TrialView, early: Moment) -> Finish | Repeat | Adopt | None:
    if trial.phase is Phase.WAITING and view.is_known(trial.index):
        reason = reasons.TRIAL_KNOWN
        return Adopt(trial.index, reason.name, reason.message)
    if trial.exit is None:
        return None
    why = cause(view, trial, early)
    if why is Cause.EARLY_STOP:
        return consequence(view, trial, why, early)
    if ended_by_us(trial):
        return consequence(view, trial, why, early) if why is Cause.PERSON else None
    return after_own_end(view, trial, trial.exit, early.now)


def _given(view: View, trial: TrialView) -> Outcome:
    values = dict(view.initial[trial.index].values)
    value = values.get(view.objective.metric.name)
    broken = view.objective.broken(value, values)
    return Outcome(value, tuple(values.items()), broken=broken)


def _judge(view: View, counts: Counts) -> End | None:
    """Judge the experiment; one that has ended stays so."""
    if view.state.is_finished:
        return End(view.state, view.reason, view.message)
    return judge(view, counts)


def _end(view: View, settled: Settled, at: Moment) -> list[Stop]:
    """Settle what we ended, and return whom to ask to end."""
    stops: list[Stop] = []
    for trial in view.trials:
        if trial.index in settled:
            continue
        why = cause(view, trial, at)
        if trial.phase.is_active:
            if why is not None:
                stops += _stop(view, trial)
        elif ended_by_us(trial) or why in {Cause.EXPERIMENT, Cause.PERSON}:
            settled[trial.index] = consequence(view, trial, why, at)
    return stops


def _stop(view: View, trial: TrialView) -> Iterator[Stop]:
    """Ask once, and once more if it is to be quicker."""
    allowed = grace(view)
    if trial.stopping is None or allowed < trial.stopping:
        yield Stop(trial.index, trial.attempt, allowed)


def _outcomes(view: View, settled: Mapping[int, Finish | Repeat | Adopt]) -> Iterator[Action]:
    for trial in view.trials:
        step = settled.get(trial.index)
        if step is None:
            continue
        yield step
        if isinstance(step, Finish) and step.state is TrialState.EARLY_STOPPED:
            yield AnswerStop(trial.index, trial.attempt)


def _refused_reopening(view: View) -> Iterator[Action]:
    """Say why an ended experiment does not go on, to whoever asked."""
    if not (view.state.is_finished and wants_reopening(view)):
        return
    for wish in view.wishes:
        if wish.verb is Verb.RESUME:
            yield Answer(wish.id, why_closed(view))


def _may_begin(view: View) -> bool:
    editing = any(wish.verb is Verb.EDIT and not wish.applied for wish in view.wishes)
    return not (suspended(view) or view.ahead or editing or view.leaving is not None)


def _begin(
    view: View, counts: Counts, settled: Settled, unfinished: Sequence[int], now: float
) -> Iterator[Action]:
    given = initial(view)
    if given is not None:
        yield given
    # What was interrupted to run again at once is next: its slot stays free for it.
    again = sum(1 for step in settled.values() if isinstance(step, Repeat) and step.at <= now)
    for start in starts(view, now, kept=again):
        if start.index not in settled:
            yield start
    if given is None and not adding(view):
        question = ask(view, counts, unfinished, now)
        if question is not None:
            yield question


def _status(view: View, over: End | None, *, is_over: bool) -> Status:
    if view.state.is_finished:
        return standing(view)
    if over is not None and is_over:
        return ended(view, over)
    return going(view)


def _wake(view: View, settled: Settled, now: float) -> float | None:
    moments = [step.at for step in settled.values() if isinstance(step, Repeat)]
    due = wake_at(view, now)
    if due is not None:
        moments.append(due)
    return min(moments, default=None)


def _is_done(view: View, status: Status, actions: Sequence[Action]) -> bool:
    if view.leaving is not None and not view.active:
        return True
    settled_for_good = status.state.is_finished and status.state is view.state
    return settled_for_good and not actions and not view.trials
