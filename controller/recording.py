"""Recording what `plan` decided: each action becomes rows of the store, and effects."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..api.errors import Invalid
from ..api.history import USER, Proposal
from ..api.identity import trial_name
from ..api.observation import Batch, Sample
from ..api.states import TrialState
from ..db.archive import KNOWN_SOURCE
from ..db.ledger import Ledger
from ..db.records import AttemptRecord, TrialRecord, Usage
from .brief import brief_of
from .edits import changes_of, check_budget, edited
from .effects import AskFor, Noted, StartAttempt, StopAttempt, TrialFinished, Turn
from .loading import is_readable
from .plan import actions as do
from .plan import reasons
from .plan.view import EndReason
from .ports import AttemptRef


def _ended_well(attempt: AttemptRecord) -> bool:
    return attempt.reason == EndReason.COMPLETED


class Recorder:
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
            check_budget(experiment, changes)
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
