"""From the store's rows to the view that `plan` sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..api.objective import Objective, Outcome
from ..api.policy import Policy
from ..db.records import AttemptState, ExperimentRecord, TrialRecord
from ..db.records import View as StoredView
from ..db.records import Wish as StoredWish
from .brief import Brief
from .edits import changes_of, is_applied
from .plan.limits import NO_LIMITS, Limits
from .plan.view import (
    Counts,
    EndReason,
    Exit,
    InitialTrial,
    Leaving,
    Phase,
    Search,
    TrialView,
    Verb,
    View,
    Wish,
)


@dataclass(slots=True)
class TrialMemory:
    """What an engine remembers of a trial; that a crash loses it does no harm."""

    stopping: float | None = None
    waits_for: str = ""
    metrics_open: bool = False
    last_sign_at: float | None = None
    metrics_seen: tuple[str, ...] = ()
    losses: int = 0


@dataclass(slots=True)
class Memory:
    """What an engine remembers of its experiment; that a crash loses it does no harm."""

    search: Search = field(default_factory=Search)
    trials: dict[int, TrialMemory] = field(default_factory=dict)
    leaving: Leaving | None = None
    warm: tuple[InitialTrial, ...] = ()
    unsaved_seconds: float = 0.0
    room: int | None = None  # how many more trials may start now; None: as parallelTrialCount says
    limits: Limits = NO_LIMITS
    ahead: tuple[str, ...] = ()  # the experiments that took all the places

    def of(self, index: int) -> TrialMemory:
        return self.trials.setdefault(index, TrialMemory())


def view_of(stored: StoredView, brief: Brief, memory: Memory, *, reached: bool = False) -> View:
    """Return what `plan` is to see; `reached` says that a trial that ended reaches every goal."""
    record = stored.experiment
    trials = tuple(_trial(trial, brief.objective, memory) for trial in stored.unfinished)
    return View(
        policy=_policy(brief.policy, trials, memory.room),
        objective=brief.objective,
        initial=(*brief.initial, *memory.warm),
        state=record.state,
        reason=record.reason,
        message=record.message,
        counts=replace(counts_of(record), reached=reached),
        trials=trials,
        search=memory.search,
        wishes=tuple(_wish(wish, record.document) for wish in stored.wishes if is_readable(wish)),
        suspended=record.suspended,
        active_seconds=record.active_seconds + memory.unsaved_seconds,
        leaving=memory.leaving,
        limits=memory.limits,
        ahead=memory.ahead,
    )


def _policy(policy: Policy, trials: Sequence[TrialView], room: int | None) -> Policy:
    if room is None:
        return policy
    return replace(policy, parallel=sum(trial.phase.is_active for trial in trials) + room)


def counts_of(record: ExperimentRecord) -> Counts:
    totals = record.totals
    return Counts(
        proposed=totals.proposed,
        by_state=totals.by_state,
        observed=totals.observed,
        since_improvement=totals.since_improvement,
        unbegun=totals.unbegun,
        best=record.best[0].value if record.best else None,
    )


def _trial(record: TrialRecord, objective: Objective, memory: Memory) -> TrialView:
    attempt, passing = record.attempt, memory.trials.get(record.index) or TrialMemory()
    phase = _phase(record)
    stop, outcome = record.stop, _outcome(record, objective)
    return TrialView(
        index=record.index,
        state=record.state,
        phase=phase,
        attempt=attempt.attempt if attempt else 0,
        completed=len(record.earlier),
        began_at=attempt.started_at if attempt else None,
        running_at=_running_at(record, phase),
        exit=_exit(record) if phase is Phase.ENDED else None,
        retries=record.retries,
        losses=passing.losses,
        retry_at=record.retry_at,
        value=outcome.value,
        values=outcome.values,
        broken=outcome.broken,
        metrics_open=passing.metrics_open,
        last_sign_at=passing.last_sign_at,
        metrics_seen=passing.metrics_seen or tuple(sorted(record.observation or ())),
        early_stop=stop.reason if stop is not None and not stop.answered else None,
        stopping=passing.stopping,
        waits_for=passing.waits_for if phase is not Phase.WAITING else _why_again(record),
    )


def _outcome(record: TrialRecord, objective: Objective) -> Outcome:
    """Return what it has come to so far; nothing while the last run has not reported."""
    last = record.observation
    if not last or objective.value(last) is None:
        return Outcome(None)
    return objective.outcome([*record.earlier, last])


def _phase(record: TrialRecord) -> Phase:
    """Tell an attempt that has just ended from one that is over and was sent back."""
    if record.attempt is None:
        return Phase.WAITING
    match record.attempt.state:
        case AttemptState.STARTING:
            return Phase.STARTING
        case AttemptState.RUNNING:
            return Phase.RUNNING
        case AttemptState.ENDED:
            return Phase.ENDED if record.retry_at is None else Phase.WAITING


def _running_at(record: TrialRecord, phase: Phase) -> float | None:
    """When the attempt's workload ran; known after its end too, which a deadline may explain."""
    attempt = record.attempt
    if attempt is None:
        return None
    known = attempt.pid is not None or attempt.ran_at is not None
    ran = phase is Phase.RUNNING or (phase is Phase.ENDED and known)
    return (attempt.ran_at or attempt.started_at) if ran else None


def _why_again(record: TrialRecord) -> str:
    """Return what ended the attempt that the next one waits to follow, in a line."""
    if record.attempt is None or record.retry_at is None:
        return ""
    return record.attempt.message.partition("\n")[0].rstrip(":")


def _exit(record: TrialRecord) -> Exit:
    attempt = record.attempt
    assert attempt is not None
    return Exit(
        reason=EndReason(attempt.reason),
        at=attempt.ended_at or 0.0,
        message=attempt.message,
        exit_code=attempt.exit_code,
    )


def is_readable(wish: StoredWish) -> bool:
    """Whether this version knows what is asked; a newer one, or a hand, may write anything."""
    index = wish.arguments.get("index")
    return wish.verb in set(Verb) and (index is None or isinstance(index, int))


def _wish(wish: StoredWish, document: Mapping[str, Any]) -> Wish:
    return Wish(
        id=wish.id,
        verb=Verb(wish.verb),
        index=wish.arguments.get("index"),
        now=bool(wish.arguments.get("now")),
        applied=wish.verb == Verb.EDIT and is_applied(document, changes_of(wish.arguments)),
    )
