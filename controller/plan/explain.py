"""What an experiment waits for, in words."""

from collections.abc import Collection, Iterator
from math import ceil

from ...api.history import SearchState
from ...api.words import counted
from . import reasons
from .budget import room, starts
from .completion import End, judge
from .deadlines import active_until, metrics_until, pending_until
from .limits import held_back
from .view import Leaving, Phase, Search, TrialView, View
from .wishes import suspended


def explain(view: View, now: float) -> tuple[str, ...]:
    """Say in lines why the experiment is where it is, and what it waits for."""
    if view.state.is_finished:
        return tuple(ended(view.state, view.reason, view.message))
    return tuple(_going(view, now))


def ended(state: str, reason: str, message: str) -> Iterator[str]:
    """Say how it ended, and what can be done about that."""
    yield f"{state}: {message} ({reason})"
    known = reasons.BY_NAME.get(reason)
    if known is not None and known.remedy:
        yield f"remedy: {known.remedy}"


def _going(view: View, now: float) -> Iterator[str]:
    over = judge(view, view.counts)
    if view.leaving is not None:
        how = "within the grace" if view.leaving is Leaving.GENTLY else "at once"
        yield f"the engine is shutting down: {counted(view.active, 'running trial')} to end {how}"
    elif over is not None:
        yield _closing(view, over)
    elif suspended(view):
        yield "suspended: no trial starts until `tunewright resume`"
    else:
        held = held_back(view.policy.parallel, view.limits, view.ahead)
        yield from (each.message for each in held)
        yield from _slots(view)
        yield from _search(view, now)
    starting = {start.index for start in starts(view, now)}
    for trial in view.trials:
        yield from _trial(view, trial, starting, now)


def _closing(view: View, over: End) -> str:
    left = len(view.trials)
    return f"about to end as {over.state} ({over.reason}): {counted(left, 'trial')} yet to end"


def _slots(view: View) -> Iterator[str]:
    if view.policy.lease is not None:
        yield f"{counted(view.active, 'point')} given out, with no result yet"
    else:
        yield from _used(view)
    left = room(view)
    if left == 0:
        yield f"nothing is left of maxTrialCount {view.policy.max_trials}"


def _used(view: View) -> Iterator[str]:
    parallel = view.parallel
    yield f"{view.active} of {parallel} slots in use"
    if view.active > parallel:
        yield f"more trials run than parallelTrialCount {parallel} now allows; they may finish"


def _search(view: View, now: float) -> Iterator[str]:
    search = view.search
    if search.note:
        yield f"the algorithm says: {search.note}"
    if search.failure is not None:
        yield f"the algorithm cannot go on: {search.failure}"
    elif search.asking:
        yield f"the algorithm is making {counted(search.asking, 'point')}"
    elif search.state is SearchState.EXHAUSTED:
        yield "the algorithm has no more points"
    elif search.trouble:
        yield f"the algorithm does not answer: {search.trouble}{_again(search, now)}"
    elif search.state is SearchState.WAIT and view.counts.finished == search.waited_at:
        if view.trials:
            yield "the algorithm waits for a running trial to end before it gives more points"
        else:
            yield f"the algorithm gives no points although nothing runs{_again(search, now)}"


def _again(search: Search, now: float) -> str:
    return "" if search.retry_at is None else f"; asked again {_at(search.retry_at, now)}"


def _trial(view: View, trial: TrialView, starting: Collection[int], now: float) -> Iterator[str]:
    name = f"trial {trial.index}"
    waits_for = f": {trial.waits_for}" if trial.waits_for else ""
    if trial.phase is Phase.WAITING:
        if trial.retry_at is not None and trial.retry_at > now:
            yield f"{name} is retried in {_seconds(trial.retry_at, now)}{waits_for}"
        else:
            yield f"{name} {_why_it_waits(view, trial, starting)}"
    elif trial.stopping is not None and trial.phase.is_active:
        allowed = "at once" if trial.stopping == 0 else "within the grace of its template"
        yield f"{name} was asked to end {allowed}"
    elif trial.phase is Phase.STARTING:
        until = pending_until(view, trial)
        limit = "" if until is None else f"; it fails in {_seconds(until, now)}"
        yield f"{name} is starting{waits_for}{limit}"
    elif trial.phase is Phase.ENDED:
        until = metrics_until(trial)
        if until is not None:
            yield f"{name} ended and waits {_seconds(until, now)} more for its metrics"
    else:
        until = active_until(view, trial)
        if until is not None:
            yield f"{name} may run {_seconds(until, now)} more"


def _why_it_waits(view: View, trial: TrialView, starting: Collection[int]) -> str:
    if suspended(view) or view.leaving is not None:
        return "runs at the next `tunewright resume`"
    if view.ahead:
        return "waits for the turn of its experiment"
    return "is about to start" if trial.index in starting else "waits for a slot"


def _at(moment: float, now: float) -> str:
    return f"in {_seconds(moment, now)}" if moment > now else "now"


def _seconds(moment: float, now: float) -> str:
    """Say how long it is still, rounded up: what is to come is never 0 seconds away."""
    return f"{ceil(max(moment - now, 0.0))} s"
