"""What people asked for, and when it is fulfilled.

A wish stays unanswered until nothing of it is left to do, so that a crash in
the middle finds it again.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from .actions import Action, AddTrial, Answer, ApplyEdit, Drop, RaiseBudget, Suspend
from .budget import room
from .lifecycle import reopened
from .view import EndReason, Phase, TrialView, Verb, View, Wish

NO_SUCH_TRIAL = "there is no such trial"
TOO_LATE = "the trial has ended already"


def suspended(view: View) -> bool:
    """Whether nothing new may start: what stands in the document, and the wishes after it."""
    state = view.suspended
    for wish in view.wishes:
        if wish.verb in {Verb.PAUSE, Verb.RESUME}:
            state = wish.verb is Verb.PAUSE
    return state


def pausing_now(view: View) -> bool:
    """Whether what runs is to be stopped by a pause that nobody took back."""
    pausing = False
    for wish in view.wishes:
        if wish.verb is Verb.PAUSE:
            pausing = wish.now
        elif wish.verb is Verb.RESUME:
            pausing = False
    return pausing


def excess(view: View) -> frozenset[int]:
    """The trials to interrupt because fewer may run now, and a person asked for it: the newest."""
    asked = any(wish.verb is Verb.EDIT and wish.now and wish.applied for wish in view.wishes)
    if not asked:
        return frozenset()
    active = [trial.index for trial in view.trials if trial.phase.is_active]
    return frozenset(sorted(active)[view.parallel :])


def carry_out(view: View, unfinished: Iterable[int], *, over: bool) -> Iterator[Action]:
    """Yield what the wishes lead to, and the answers of those that are fulfilled.

    `unfinished` are the trials that stay so after this plan; `over` says that
    the experiment has ended, or does with this plan.
    """
    left = frozenset(unfinished)
    wanted = suspended(view)
    if wanted != view.suspended:
        yield Suspend(wanted)
    yield from _additions(view, over=over)
    for wish in view.wishes:
        if not (_is_addition(view, wish) or _is_held(view, wish)):
            yield from _other(view, wish, left, over=over)


def why_not(view: View, wish: Wish) -> str:
    """Say why a wish would be refused as things are; empty when it would not.

    An ended experiment that is to go on, since its budget was raised, is not over.
    """
    over = view.state.is_finished and reopened(view) is None
    left = [trial.index for trial in view.trials]
    actions = carry_out(replace(view, wishes=(wish,)), left, over=over)
    return next((each.refused for each in actions if isinstance(each, Answer)), "")


def _additions(view: View, *, over: bool) -> Iterator[Action]:
    """Give people's own points the next indexes; the budget grows where they do not fit in."""
    accepted = []
    for wish in view.wishes:
        if _is_addition(view, wish):
            refusal = _why_not_add(view, wish, over=over)
            if refusal:
                yield Answer(wish.id, refusal)
            else:
                accepted.append(wish)
    if not accepted or not _next_index_is_free(view):
        return
    left, budget = room(view), view.policy.max_trials
    if left is not None and budget is not None and len(accepted) > left:
        yield RaiseBudget(budget + len(accepted) - left)
    for offset, wish in enumerate(accepted):
        yield AddTrial(wish.id, view.counts.proposed + offset)
        yield Answer(wish.id)


def _next_index_is_free(view: View) -> bool:
    """Whether no point is under way that will take the next index."""
    initial_done = view.counts.proposed >= len(view.initial)
    return initial_done and not view.search.asking and view.leaving is None


def adding(view: View) -> bool:
    """Whether a person's own points take the next indexes: the algorithm is asked later."""
    return any(_is_addition(view, wish) for wish in view.wishes)


def _is_addition(view: View, wish: Wish) -> bool:
    """Whether the wish makes a new trial: a point of its own, or that of a finished trial."""
    unfinished = any(trial.index == wish.index for trial in view.trials)
    return wish.verb is Verb.TRIAL_ADD or (wish.verb is Verb.TRIAL_RETRY and not unfinished)


def _why_not_add(view: View, wish: Wish, *, over: bool) -> str:
    if wish.index is not None and wish.index >= view.counts.proposed:
        return NO_SUCH_TRIAL
    if over:
        return "the experiment has ended: raise its budget first"
    return ""


def _other(view: View, wish: Wish, left: frozenset[int], *, over: bool) -> Iterator[Action]:
    if wish.verb is Verb.EDIT:
        yield from _edit(wish)
    elif wish.verb in {Verb.TRIAL_STOP, Verb.TRIAL_DROP}:
        yield from _end_trial(view, wish, left)
    elif _is_fulfilled(view, wish, left, over=over):
        yield Answer(wish.id)


def _is_fulfilled(view: View, wish: Wish, left: frozenset[int], *, over: bool) -> bool:
    match wish.verb:
        case Verb.PAUSE:
            return not (pausing_now(view) and view.active)
        case Verb.STOP:
            return over
        case Verb.RESUME:
            return not view.state.is_finished  # else it was refused
        case Verb.TRIAL_RETRY:
            waits = (trial.index for trial in view.trials if _runs_again(trial))
            return wish.index in left and wish.index in waits
        case _:
            return True


def _runs_again(trial: TrialView) -> bool:
    """Whether another attempt is sure to follow; after an end of its own that is yet undecided."""
    was_stopped = trial.exit is not None and trial.exit.reason is EndReason.STOPPED
    return trial.phase is Phase.WAITING or was_stopped


def _is_held(view: View, wish: Wish) -> bool:
    """Whether an edit waits for an earlier one with `now`, which takes two plans.

    So edits are carried out in the order in which they were asked for.
    """
    before = itertools.takewhile(lambda each: each.id != wish.id, view.wishes)
    return wish.verb is Verb.EDIT and any(each.verb is Verb.EDIT and each.now for each in before)


def _edit(wish: Wish) -> Iterator[Action]:
    """Change the document. With `now` the answer waits for the next plan, which sees the new
    parallelTrialCount and stops the trials that exceed it.
    """
    if not wish.applied:
        yield ApplyEdit(wish.id)
    if wish.applied or not wish.now:
        yield Answer(wish.id)


def _end_trial(view: View, wish: Wish, left: frozenset[int]) -> Iterator[Action]:
    index = -1 if wish.index is None else wish.index
    if not 0 <= index < view.counts.proposed:
        yield Answer(wish.id, NO_SUCH_TRIAL)
    elif index not in left:
        ended_before = all(trial.index != index for trial in view.trials)
        if wish.verb is Verb.TRIAL_DROP:
            yield Drop(index)
        late = ended_before and wish.verb is Verb.TRIAL_STOP
        yield Answer(wish.id, TOO_LATE if late else "")
