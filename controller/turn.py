"""One turn of the engine, in the store: write what happened, plan, record what is decided.

All of it is one transaction. What is to be done outside comes back as effects.
"""

from collections.abc import Iterable, Sequence

from ..api.errors import Conflict
from ..api.history import Finished
from ..api.identity import trial_name
from ..api.observation import Batch
from ..api.states import ExperimentState
from ..api.words import counted
from ..db.ledger import Ledger
from ..db.records import View as StoredView
from .asking import note_answer
from .brief import Brief, brief_of
from .effects import Event, Noted, Suggested, Turn
from .goals import Goals
from .loading import Memory, counts_of, view_of
from .plan import actions as do
from .plan import plan, reasons
from .plan.reasons import Reason
from .ports import Ended, Started
from .recording import Recorder
from .usage import record_usage


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
            self._note_answers(events, stored, memory, now)
            reached = self._goals.reached(brief.objective)
            view = view_of(stored, brief, memory, reached=reached)
            decided = plan(view, now)
            turn = Turn(view, stored, brief, decided.wake_at, decided.done)
            recorder = Recorder(self._store, turn, now)
            recorder.refuse_unreadable()
            for action in decided.actions:
                recorder.record(action)
            self._set_status(turn, decided.status, now)
        _count_losses(decided.actions, memory)
        if decided.status.state is ExperimentState.RESTARTING:
            memory.search = memory.search.anew()
        return turn

    def _note_answers(
        self, events: Iterable[Event], stored: StoredView, memory: Memory, now: float
    ) -> None:
        for event in events:
            if isinstance(event, Suggested):
                answer = event.suggestion
                if answer.note and answer.note != memory.search.note:
                    self._tell("Normal", reasons.SEARCHES, answer.note, now)
                known = 0 if answer.proposals else self._known_ends(event, stored)
                note_answer(memory, answer, known, now)

    def _known_ends(self, answer: Suggested, stored: StoredView) -> int:
        """Return how many trials had ended when the algorithm was asked: it knew of no other."""
        entries = self._store.history(self._uid, after=answer.position)
        later = sum(isinstance(entry, Finished) for entry in entries)
        return counts_of(stored.experiment).finished - later

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
                    if event.suggestion.forgotten:
                        forgotten = counted(event.suggestion.forgotten, "trial")
                        self._tell("Warning", reasons.PLUGIN_FORGOT, forgotten, now)
                    self._propose(event, now)

    def _tell(self, kind: str, reason: Reason, detail: str, now: float) -> None:
        self._store.add_event(
            self._uid,
            index=None,
            kind=kind,
            reason=reason.name,
            message=reason.about(detail),
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


def _count_losses(actions: Iterable[do.Action], memory: Memory) -> None:
    """Count how often in a row an attempt was lost; any other end of one begins anew."""
    for action in actions:
        if isinstance(action, do.Repeat):
            passing = memory.of(action.index)
            is_lost = action.reason == reasons.LOST_RETRYING.name
            passing.losses = passing.losses + 1 if is_lost else 0
