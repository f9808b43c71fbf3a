"""What an experiment waits for, in words."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import ceil

from ...api.history import SearchState
from ...api.moments import written
from ...api.words import counted
from . import reasons
from .budget import room, starts
from .completion import End, judge
from .deadlines import active_until, metrics_until, pending_until
from .limits import held_back
from .view import Leaving, Phase, Search, TrialView, View
from .wishes import suspended


def explain(view: View, now: float, *, lasting: bool = False) -> tuple[str, ...]:
    """Say in lines why the experiment is where it is, and what it waits for.

    `lasting` lines are kept: they tell the time of what is to come, and are the same until
    something else is waited for.
    """
    if view.state.is_finished:
        return tuple(ended(view.state, view.reason, view.message))
    return tuple(_going(view, _Clock(now, lasting)))


@dataclass(frozen=True, slots=True)
class _Clock:
    """Says when something comes: at which time, or in how long."""

    now: float
    lasting: bool

    def at(self, moment: float) -> str:
        if self.lasting:
            return f"at {written(moment)}"
        return f"in {self._left(moment)}" if moment > self.now else "now"

    def until(self, moment: float) -> str:
        return f"until {written(moment)}" if self.lasting else f"{self._left(moment)} more"

    def _left(self, moment: float) -> str:
        """Say how long it is still, rounded up: what is to come is never 0 seconds away."""
        return f"{ceil(max(moment - self.now, 0.0))} s"


def ended(state: str, reason: str, message: str) -> Iterator[str]:
    """Say how it ended, and what can be done about that."""
    yield f"{state}: {message} ({reason})"
    known = reasons.BY_NAME.get(reason)
    if known is not None and known.remedy:
        yield f"remedy: {known.remedy}"


def _going(view: View, clock: _Clock) -> Iterator[str]:
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
        yield from _search(view, clock)
    starting = {start.index for start in starts(view, clock.now)}
    for trial in view.trials:
        yield from _trial(view, trial, starting, clock)


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


def _search(view: View, clock: _Clock) -> Iterator[str]:
    search = view.search
    if search.note:
        yield f"the algorithm says: {search.note}"
    if search.failure is not None:
        yield f"the algorithm cannot go on: {search.failure}"
    elif search.trouble:
        yield f"the algorithm does not answer: {search.trouble}{_again(search, clock)}"
    elif search.asking:
        yield f"the algorithm is making {counted(search.asking, 'point')}"
    elif search.state is SearchState.EXHAUSTED:
        yield "the algorithm has no more points"
    elif search.state is SearchState.WAIT and view.counts.finished == search.waited_at:
        if view.trials:
            yield "the algorithm waits for a running trial to end before it gives more points"
        else:
            yield f"the algorithm gives no points although nothing runs{_again(search, clock)}"


def _again(search: Search, clock: _Clock) -> str:
    """Say when it is asked again: a line that lasts only says so, as that changes by the moment."""
    if clock.lasting:
        return "; it is asked again and again"
    return "" if search.retry_at is None else f"; asked again {clock.at(search.retry_at)}"


def _trial(view: View, trial: TrialView, starting: Collection[int], clock: _Clock) -> Iterator[str]:
    name = f"trial {trial.index}"
    waits_for = f": {trial.waits_for}" if trial.waits_for else ""
    if trial.phase is Phase.WAITING:
        if trial.retry_at is not None and trial.retry_at > clock.now:
            yield f"{name} is retried {clock.at(trial.retry_at)}{waits_for}"
        else:
            yield f"{name} {_why_it_waits(view, trial, starting)}"
    elif trial.stopping is not None and trial.phase.is_active:
        allowed = "at once" if trial.stopping == 0 else "within the grace of its template"
        yield f"{name} was asked to end {allowed}"
    elif trial.phase is Phase.STARTING:
        until = pending_until(view, trial)
        limit = "" if until is None else f"; it fails {clock.at(until)}"
        yield f"{starting_line(trial.index, trial.waits_for)}{limit}"
    elif trial.phase is Phase.ENDED:
        until = metrics_until(trial)
        if until is not None:
            yield f"{name} ended and waits {clock.until(until)} for its metrics"
    else:
        until = active_until(view, trial)
        if until is not None:
            yield f"{name} may run {clock.until(until)}"


def starting_line(index: int, waits_for: str) -> str:
    """Say of a trial that it is starting, and what it waits for."""
    return f"trial {index} is starting: {waits_for}" if waits_for else f"trial {index} is starting"


def _why_it_waits(view: View, trial: TrialView, starting: Collection[int]) -> str:
    if suspended(view) or view.leaving is not None:
        return "runs at the next `tunewright resume`"
    if view.ahead:
        return "waits for the turn of its experiment"
    return "is about to start" if trial.index in starting else "waits for a slot"
