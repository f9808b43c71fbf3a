"""One turn of the engine, in the store: write what happened, plan, record what is decided.

All of it is one transaction. What is to be done outside comes back as effects,
once it is recorded that they are going to be done.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..api.errors import Conflict, Invalid
from ..api.history import USER, Finished, Proposal, SearchState, Suggestion
from ..api.identity import trial_name
from ..api.observation import Batch, Sample
from ..api.states import ExperimentState, TrialState
from ..db.archive import KNOWN_SOURCE
from ..db.ledger import Ledger
from ..db.records import AttemptRecord, TrialRecord, Usage
from ..db.records import View as StoredView
from .brief import Brief, brief_of
from .edits import changes_of, edited
from .goals import Goals
from .loading import Memory, counts_of, is_readable, view_of
from .plan import actions as do
from .plan import plan, reasons
from .plan.view import EndReason, View
from .ports import AttemptRef, Ended, Started
from .usage import record_usage


@dataclass(frozen=True, slots=True)
class Suggested:
    """An algorithm answered a question, made from the log up to `position`."""

    first_index: int
    position: int
    suggestion: Suggestion


Event: TypeAlias = Started | Ended | Suggested | Batch
"""What happened since the last turn, in order."""


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Start the workload; it is recorded as starting. `run` counts the point's runs from 0."""

    ref: AttemptRef
    proposal: Proposal
    run: int


@dataclass(frozen=True, slots=True)
class StopAttempt:
    ref: AttemptRef
    grace: float


@dataclass(frozen=True, slots=True)
class AskFor:
    first_index: int
    count: int
    position: int


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial has ended for good."""

    record: TrialRecord
    entry: Finished
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a person may want to read."""

    at: float
    kind: str
    reason: str
    message: str
    trial: str | None = None


Effect: TypeAlias = StartAttempt | StopAttempt | AskFor | TrialFinished | Noted


@dataclass(slots=True)
class Turn:
    """What a turn came to."""

    view: View
    stored: StoredView
    brief: Brief
    wake_at: float | None
    done: bool
    effects: list[Effect] = field(default_factory=list)


class Turns:
    """Takes turns for one experiment. Called from one thread at a time."""

    def __init__(self, store: Ledger, uid: str) -> None:
        self._store = store
        self._uid = uid
        self._brief: Brief | None = None
        self._goals = Goals(store, uid)

    def take(self, events: Sequence[Event], memory: Memory, now: float) -> Turn:
        """Take one turn; when it raises, nothing of it is in the store."""
        with self._store.group():
            self._write(events, now)
            stored = self._store.view(self._uid)
            brief = self._brief_of(stored)
            self._hear_answers(events, stored, memory, now)
            reached = self._goals.reached(brief.objective)
            view = view_of(stored, brief, memory, reached=reached)
            decided = plan(view, now)
            turn = Turn(view, stored, brief, decided.wake_at, decided.done)
            recorder = _Recorder(self._store, turn, now)
            recorder.refuse_unreadable()
            for action in decided.actions:
                recorder.record(action)
            self._set_status(turn, decided.status, now)
        if decided.status.state is ExperimentState.RESTARTING:
            memory.search = memory.search.anew()
        return turn

    def _hear_answers(
        self, events: Iterable[Event], stored: StoredView, memory: Memory, now: float
    ) -> None:
        for event in events:
            if isinstance(event, Suggested):
                self._tell_of_note(event.suggestion.note, memory, now)
                finished = counts_of(stored.experiment).finished
                _searched(memory, event.suggestion, finished, now)

    def _brief_of(self, stored: StoredView) -> Brief:
        if self._brief is None or self._brief.version != stored.experiment.version:
            self._brief = brief_of(stored.experiment)
        return self._brief

    def _set_status(self, turn: Turn, status: do.Status, now: float) -> None:
        before = turn.view
        if (status.state, status.reason) == (before.state, before.reason):
            return
        self._store.set_state(
            self._uid, status.state, reason=status.reason, message=status.message, now=now
        )
        turn.wake_at = now
        turn.effects.append(Noted(now, "Normal", status.reason, status.message))

    def _write(self, events: Iterable[Event], now: float) -> None:
        for event in events:
            match event:
                case Batch():
                    self._store.record([event], now=now)
                case Started():
                    self._store.attempt_running(
                        self._uid,
                        event.ref.index,
                        event.ref.attempt,
                        pid=event.pid,
                        pid_started_at=event.pid_started_at,
                        now=event.at,
                    )
                case Ended():
                    metrics = self._brief.objective.metric_names if self._brief else ()
                    record_usage(self._store, event, metrics)
                    self._store.attempt_ended(
                        self._uid,
                        event.ref.index,
                        event.ref.attempt,
                        exit_code=event.exit_code,
                        reason=event.reason,
                        message=event.message,
                        usage=event.usage,
                        now=event.at,
                        output=event.output,
                    )
                case Suggested():
                    self._tell_of_forgotten(event.suggestion.forgotten, now)
                    self._propose(event, now)

    def _tell_of_forgotten(self, count: int, now: float) -> None:
        if count:
            why = reasons.PLUGIN_FORGOT
            self._store.add_event(
                self._uid,
                index=None,
                kind="Warning",
                reason=why.name,
                message=why.about(str(count)),
                now=now,
            )

    def _tell_of_note(self, note: str, memory: Memory, now: float) -> None:
        """Write down what an algorithm says of its answer, where that is new."""
        if note and note != memory.search.note:
            why = reasons.SEARCHES
            self._store.add_event(
                self._uid,
                index=None,
                kind="Normal",
                reason=why.name,
                message=why.about(note),
                now=now,
            )

    def _propose(self, event: Suggested, now: float) -> None:
        assert self._brief is not None  # a question was asked in a turn before this one
        experiment = self._brief.problem.experiment
        proposals = event.suggestion.proposals
        first = event.first_index
        named = [
            (proposal.name or trial_name(experiment, self._uid, first + offset), proposal)
            for offset, proposal in enumerate(proposals)
        ]
        try:
            self._store.propose(self._uid, first, named, made_from=event.position, now=now)
        except Conflict:
            # A person's point took the index meanwhile: the algorithm is asked again.
            return


def _searched(memory: Memory, suggestion: Suggestion, finished: int, now: float) -> None:
    """Note what an answer says about the algorithm."""
    search = replace(
        memory.search,
        asking=0,
        trouble="",
        failure=None,
        state=suggestion.state,
        note=suggestion.note,
    )
    if suggestion.proposals or suggestion.state is SearchState.EXHAUSTED:
        memory.search = replace(search, waits=0, retry_at=None)
        return
    waits = search.waits + 1
    memory.search = replace(
        search,
        state=SearchState.WAIT,
        waits=waits,
        waited_at=finished,
        retry_at=now + min(60.0, 0.5 * 2**waits),
    )


def _ended_well(attempt: AttemptRecord) -> bool:
    return attempt.reason == EndReason.COMPLETED


class _Recorder:
    """Records the actions of one plan."""

    def __init__(self, store: Ledger, turn: Turn, now: float) -> None:
        self._store = store
        self._turn = turn
        self._now = now
        self._experiment = turn.stored.experiment
        self._uid = turn.stored.experiment.uid
        self._trials: Mapping[int, TrialRecord] = {
            record.index: record for record in turn.stored.unfinished
        }

    def record(self, action: do.Action) -> None:  # noqa: C901, PLR0912 - a table of actions
        match action:
            case do.Start():
                self._start(action)
            case do.Stop():
                ref = AttemptRef.last_of(self._uid, self._trials[action.index])
                self._turn.effects.append(StopAttempt(ref, action.grace))
            case do.Repeat():
                self._store.retry_trial(
                    self._uid,
                    action.index,
                    counted=action.counted,
                    retry_at=action.at,
                    reason=action.reason,
                    message=action.message,
                    now=self._now,
                )
                self._note("Warning", action.reason, action.message, action.index)
            case do.Finish():
                self._finish(action)
            case do.Adopt():
                self._adopt(action)
            case do.ProposeInitial():
                points = self._turn.view.initial[action.first : action.first + action.count]
                proposals = [
                    Proposal(point.point, reason=point.reason, labels=point.labels)
                    for point in points
                ]
                self._propose(action.first, proposals)
            case do.Ask():
                position = self._turn.stored.experiment.totals.position
                self._turn.effects.append(AskFor(action.first_index, action.count, position))
            case do.Suspend():
                self._edit({"suspend": action.suspended}, suspended=action.suspended)
            case do.ApplyEdit():
                self._apply(action.wish)
            case do.AddTrial():
                self._propose(action.index, [self._added(self._wish(action.wish))])
            case do.RaiseBudget():
                self._edit({"maxTrialCount": action.max_trials})
            case do.Drop():
                self._store.drop_trial(self._uid, action.index, now=self._now)
            case do.Answer():
                self._store.answer_wish(self._uid, action.wish)
                if action.refused:
                    self._refuse(action.refused)
            case do.AnswerStop():
                self._store.answer_stop(self._uid, action.index, action.attempt)

    def refuse_unreadable(self) -> None:
        for wish in self._turn.stored.wishes:
            if not is_readable(wish):
                self._store.answer_wish(self._uid, wish.id)
                self._refuse(f"this version knows no wish {wish.verb!r} {dict(wish.arguments)}")

    def _start(self, action: do.Start) -> None:
        record = self._trials[action.index]
        token = secrets.token_hex(16)
        self._store.start_attempt(
            self._uid, action.index, action.attempt, token=token, now=self._now
        )
        ref = AttemptRef(self._uid, action.index, record.name, action.attempt, token)
        runs = len(record.earlier) + (record.attempt is not None and _ended_well(record.attempt))
        self._turn.effects.append(StartAttempt(ref, record.proposal, runs))

    def _finish(self, action: do.Finish) -> None:
        entry = self._store.finish_trial(
            self._uid,
            action.index,
            action.state,
            reason=action.reason,
            message=action.message,
            own_failure=action.own_failure,
            min_delta=self._turn.brief.policy.min_delta,
            now=self._now,
        )
        record = self._trials[action.index]
        self._turn.effects.append(TrialFinished(record, entry, action.reason, action.message))
        if action.state in {TrialState.FAILED, TrialState.METRICS_UNAVAILABLE}:
            self._note("Warning", action.reason, action.message, action.index)

    def _adopt(self, action: do.Adopt) -> None:
        """Give the trial an attempt that ran nowhere, and the observation that the file brings."""
        values = self._turn.brief.initial[action.index].values
        samples = tuple(Sample(name, value, self._now) for name, value in values)
        self._store.start_attempt(self._uid, action.index, 1, token="", now=self._now)
        self._store.record(
            [Batch(self._uid, action.index, 1, KNOWN_SOURCE, 0, samples)], now=self._now
        )
        self._store.attempt_ended(
            self._uid,
            action.index,
            1,
            exit_code=None,
            reason=EndReason.COMPLETED,
            message=action.message,
            usage=Usage(),
            now=self._now,
        )
        self._finish(do.Finish(action.index, TrialState.SUCCEEDED, action.reason, action.message))

    def _propose(self, first: int, proposals: Sequence[Proposal]) -> None:
        experiment = self._turn.stored.experiment
        named = [
            (trial_name(experiment.key.name, self._uid, first + offset), proposal)
            for offset, proposal in enumerate(proposals)
        ]
        position = experiment.totals.position
        self._store.propose(self._uid, first, named, made_from=position, now=self._now)
        self._turn.wake_at = self._now

    def _added(self, arguments: Mapping[str, Any]) -> Proposal:
        if "point" in arguments:
            return Proposal(arguments["point"], reason=USER)
        again = self._store.trial(self._uid, int(arguments["index"]))
        return replace(again.proposal, reason=USER, name=None)

    def _apply(self, wish: int) -> None:
        """Edit as asked, or say why not: a document that does not compile would stop us."""
        arguments = self._wish(wish)
        changes = changes_of(arguments)
        experiment = self._experiment
        try:
            brief_of(replace(experiment, document=edited(experiment.document, changes)))
        except Invalid as error:
            self._store.answer_wish(self._uid, wish)
            self._refuse(str(error))
            return
        self._edit(changes)

    def _edit(self, changes: Mapping[str, Any], *, suspended: bool | None = None) -> None:
        """Change the document; further changes of the same turn build on this one."""
        before = self._experiment
        after = self._experiment = replace(
            before,
            document=edited(before.document, changes),
            suspended=before.suspended if suspended is None else suspended,
            version=before.version + 1,
        )
        self._store.set_document(
            self._uid, after.document, version=before.version, suspended=after.suspended
        )
        self._turn.wake_at = self._now

    def _wish(self, wish: int) -> Mapping[str, Any]:
        return next(found.arguments for found in self._turn.stored.wishes if found.id == wish)

    def _refuse(self, why: str) -> None:
        """Tell whoever asked, also in another process, why a wish is not carried out."""
        self._store.add_event(
            self._uid,
            index=None,
            kind="Warning",
            reason=reasons.WISH_REFUSED.name,
            message=why,
            now=self._now,
        )
        self._note("Warning", reasons.WISH_REFUSED.name, why, None)

    def _note(self, kind: str, reason: str, message: str, index: int | None) -> None:
        trial = None if index is None else self._trials[index].name
        self._turn.effects.append(Noted(self._now, kind, reason, message, trial))
