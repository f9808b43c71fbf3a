"""How many trials may still be recorded, started and asked for."""

from collections.abc import Iterable, Iterator

from ...api.history import SearchState
from .actions import Ask, ProposeInitial, Start
from .view import Counts, Phase, TrialView, View


def room(view: View) -> int | None:
    """How many more trials the budget can take, None without a budget.

    Every recorded trial counts, except those that came with their result and those that were
    ended before they began.
    """
    if view.policy.max_trials is None:
        return None
    counted = view.counts.proposed - view.known - view.counts.unbegun
    return max(view.policy.max_trials - counted, 0)


def initial(view: View) -> ProposeInitial | None:
    """Return the file's own points that are to be recorded now: as many as the budget takes."""
    points = view.initial
    first = view.counts.proposed
    left = room(view)
    count = 0
    for point in points[first:]:
        if not point.values:
            if left is not None and left <= 0:
                break
            left = None if left is None else left - 1
        count += 1
    return ProposeInitial(first, count) if count else None


def starts(view: View, now: float, *, kept: int = 0) -> Iterator[Start]:
    """Yield the attempts for which there is a slot that is not `kept`, in the trials' order."""
    slots = view.parallel - view.active - kept
    for trial in view.trials:
        if slots <= 0:
            return
        if _is_due(view, trial, now):
            yield Start(trial.index, trial.attempt + 1)
            slots -= 1


def _is_due(view: View, trial: TrialView, now: float) -> bool:
    waiting = trial.phase is Phase.WAITING and not view.is_known(trial.index)
    return waiting and (trial.retry_at is None or trial.retry_at <= now)


def ask(view: View, counts: Counts, unfinished: Iterable[int], now: float) -> Ask | None:
    """Return how many points to ask for now: enough for the free slots and `ahead` more."""
    search = view.search
    if search.asking or view.counts.proposed < len(view.initial):
        return None
    if search.state is SearchState.EXHAUSTED or search.failure is not None:
        return None
    waiting = sum(1 for _ in unfinished)
    if not _may_ask(view, counts, waiting, now):
        return None
    wanted = view.parallel + search.ahead - waiting
    # Asking for every single point that `ahead` misses would be a call a trial.
    if wanted <= search.ahead // 2 and waiting >= view.parallel:
        return None
    left = room(view)
    count = wanted if left is None else min(wanted, left)
    return Ask(view.counts.proposed, count) if count > 0 else None


def _may_ask(view: View, counts: Counts, waiting: int, now: float) -> bool:
    search = view.search
    due = search.retry_at is None or search.retry_at <= now
    if search.state is not SearchState.WAIT:
        return due
    if counts.finished == search.waited_at:
        # Only an end could change the answer; with nothing left to end, ask now and then.
        return due and not waiting
    return due or not search.trouble
