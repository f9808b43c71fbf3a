"""One experiment and its trials in memory, as their resources tell them.

It is the ledger that turns are taken on: what a turn writes is here at once,
and in the resources when `writing` has carried it there. Folded anew from the
resources it is the same again, but for what had not been carried.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from ...api.conditions import Condition, Conditions, pass_to, set_condition
from ...api.errors import Conflict, NotFound
from ...api.excerpts import objective_of
from ...api.experiment import API_VERSION
from ...api.history import (
    Entry,
    Finished,
    Proposal,
    Proposed,
    verdict_of,
)
from ...api.identity import trial_name
from ...api.moments import written
from ...api.objective import Objective
from ...api.observation import Batch, Observation, as_text, summarize_on
from ...api.states import (
    EXPERIMENT_EDGES,
    TRIAL_EDGES,
    ExperimentState,
    TrialState,
    passage,
)
from ...db.records import (
    COMPLETED,
    Ack,
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    StopRow,
    TrialRecord,
    Usage,
    View,
    Wish,
)
from ..plan import reasons
from ..plan.limits import Held
from .cache import Key
from .page import Event, Page, Unwritten, fitting
from .port import Document
from .tally import Tally

LIMITED = "Limited"
"""The condition that says what a limit of the namespace holds back."""

EDIT_REFUSED = "EditRefused"
"""The condition that says what is wrong with the document since it was edited."""

MESSAGE = 32_000
"""Characters of a condition's message, of which a status keeps several: it stays bounded."""

_OTHERS = 16_000
"""Characters of a status for metrics that nobody asked for. The metrics service keeps all."""
_FRAME = 160
"""What a metric takes beside its name and a text: its keys and three numbers."""


class Book:
    """Implements `db.ledger.Ledger` for one experiment.

    `min_delta` is how much better than the best counts as better.
    """

    def __init__(
        self,
        experiment: ExperimentRecord,
        conditions: Conditions = (),
        pages: Iterable[Page] = (),
        *,
        min_delta: float = 0.0,
    ) -> None:
        self.experiment = experiment
        self.conditions = conditions
        given = list(pages)
        kept = fitting(given, experiment.totals.proposed)
        self.pages: dict[int, Page] = {page.record.index: page for page in kept}
        self.wishes: tuple[Wish, ...] = ()
        self.unwritten = Unwritten()
        self._indexes = {page.record.name: index for index, page in self.pages.items()}
        self._left_out = {page.record.name for page in given} - self._indexes.keys()
        objective = objective_of(experiment.document)
        self._tally = Tally(self.pages, objective, experiment.totals.proposed)
        self._tally.min_delta = min_delta
        self._tally.fold()

    def grown(
        self, experiment: ExperimentRecord, conditions: Conditions, pages: Sequence[Page]
    ) -> "Book | None":
        """Return this book with pages that are newer; None where all have to be folded.

        Whoever looks on at thousands of trials pays for those that changed. This book stays as it
        is: others read it.
        """
        entries = self._entries_of(pages)
        if entries is None or experiment.version != self.experiment.version:
            return None
        book = Book(experiment, conditions)
        book.pages = {**self.pages, **{page.record.index: page for page in pages}}
        book._indexes = {**self._indexes, **{page.record.name: page.record.index for page in pages}}
        book._tally = self._tally.copied(book.pages)
        for index in (page.record.index for page in pages):
            old = self.pages[index].record.state if index in self.pages else None
            book._tally.passed(index, old, book.pages[index].record.state)
        for entry in entries:
            book._tally.add(entry)
        book._tally.proposed = max(book.proposed, experiment.totals.proposed)
        return book

    def _entries_of(self, pages: Sequence[Page]) -> Sequence[Entry] | None:
        """Return what the log goes on with by newer pages; None where it does not just go on."""
        entries: list[Entry] = []
        for page in pages:
            old = self.pages.get(page.record.index)
            if not _goes_on(old, page, self.proposed + len(pages)):
                return None
            entries += [] if old else [page.proposed]
            entries += [page.finished] if page.finished and not (old and old.finished) else []
        entries.sort(key=lambda entry: entry.position)
        begin = self._tally.next_position
        is_next = [each.position for each in entries] == [*range(begin, begin + len(entries))]
        indexes = {page.record.index for page in pages}
        is_one_log = is_next and len(indexes) == len(pages) and not self._left_out
        return entries if is_one_log else None

    @property
    def objective(self) -> Objective:
        return self._tally.objective

    @property
    def unfinished(self) -> Sequence[TrialRecord]:
        return tuple(self.pages[index].record for index in sorted(self._tally.unfinished))

    @property
    def key(self) -> Key:
        return Key(self.experiment.key.namespace, self.experiment.key.name)

    @property
    def proposed(self) -> int:
        """How many trials there ever were."""
        return self._tally.proposed

    @property
    def created_so_far(self) -> int:
        """How many trials there ever were, but for those that were not created and may never be."""
        uncreated = (index for index in self.unwritten.trials if not self.pages[index].uid)
        return min(uncreated, default=self.proposed)

    def has(self, trial: str) -> bool:
        """Whether a trial of that name was read, be it that it fits nowhere."""
        return trial in self._indexes or trial in self._left_out

    def is_over(self, trial: str) -> bool:
        """Whether the trial of that name has ended, or is none of these any more."""
        return self._indexes.get(trial) not in self._tally.unfinished

    def failed_at(self, trial: str) -> int | None:
        """Return where in the log the trial of that name failed; None where it did not."""
        page = self.pages.get(self._indexes.get(trial, -1))
        if page is None or page.finished is None or page.record.state is not TrialState.FAILED:
            return None
        return page.finished.position

    def told(self, index: int) -> TrialRecord:
        """Return the record of a trial, to be told to the metrics service.

        One without a resource was deleted, or its creation is not seen yet. It is told as just
        created: the service would take no reports of a trial that it knows as ended.
        """
        page = self.pages.get(index)
        if page is not None:
            return page.record
        name = trial_name(self.key.name, self.experiment.uid, index)
        return _new_record(index, name, Proposal({}), 0, self.experiment.created_at)

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Return the log behind a position."""
        del uid
        return self._tally.log[after:][:limit]

    def about(self, index: int) -> Document:
        """Return of a trial's resource what an event names."""
        page = self.pages[index]
        metadata = {"name": page.record.name, "namespace": self.key.namespace, "uid": page.uid}
        return {"apiVersion": API_VERSION, "kind": "Trial", "metadata": metadata}

    # What comes from elsewhere.

    def note(self, condition: Condition, now: float) -> None:
        """Set a condition that is no state, before the others: the last one is the state."""
        known = [each for each in self.conditions if each.type == condition.type]
        said = set_condition(known, condition, now=written(now))
        if said != tuple(known):
            others = (each for each in self.conditions if each.type != condition.type)
            self.conditions = (*said, *others)
            self.unwritten.status = True

    def note_held(self, held: Held | None, now: float) -> None:
        """Say what a limit holds back, and that nothing is any more."""
        if held is not None:
            reason, message, status = held.reason.name, held.message, "True"
        elif any(each.type == LIMITED and each.status == "True" for each in self.conditions):
            reason, message, status = "NotLimited", "Nothing is held back", "False"
        else:
            return
        condition = Condition(type=LIMITED, status=status, reason=reason, message=message)
        self.note(condition, now)

    def learn(self, edited: ExperimentRecord) -> None:
        """Take over what people changed in the document."""
        self.experiment = replace(
            self.experiment,
            document=edited.document,
            version=edited.version,
            suspended=edited.suspended,
        )
        self._tally.objective = objective_of(edited.document)
        self.conditions = without_refusal(self.conditions)
        self.unwritten.status = True

    def refuse_edit(self, version: int, why: str, now: float) -> None:
        """Leave an edit that is wrong aside, and say so."""
        self.experiment = replace(self.experiment, version=version)
        reason = reasons.INVALID_SPEC.name
        said = why[:MESSAGE]
        self.note(Condition(type=EDIT_REFUSED, status="True", reason=reason, message=said), now)
        self.add_event("", index=None, kind="Warning", reason=reason, message=why, now=now)

    def created(self, index: int, uid: str) -> None:
        """Note that a trial has its resource."""
        self.pages[index] = replace(self.pages[index], uid=uid)

    def observe(self, index: int, observation: Observation) -> None:
        """Note what a trial's last attempt has reported, as much of it as its status may hold."""
        self._change(index, observation=_fitting(observation, self.objective.metric_names))

    def ask_to_stop(self, stop: StopRow) -> bool:
        """Note an early stop that was decided elsewhere; say whether it is news.

        One of an attempt before the last is none.
        """
        if stop.index not in self._tally.unfinished:
            return False
        record = self.pages[stop.index].record
        last = record.attempt.attempt if record.attempt else 0
        is_news = record.stop is None and stop.attempt == last
        if is_news:
            self._change(stop.index, stop=stop)
        return is_news

    def say(self, index: int, reason: str, message: str, now: float) -> None:
        """Say why a trial that has not ended is as it is."""
        page, message = self.pages[index], message[:MESSAGE]
        if (page.record.reason, page.record.message) == (reason, message):
            return
        state = page.conditions[-1].model_copy(update={"reason": reason, "message": message})
        conditions = set_condition(page.conditions, state, now=written(now))
        self.pages[index] = replace(page, conditions=conditions)
        self._change(index, reason=reason, message=message)
        self.unwritten.trials.add(index)

    # The ledger: what a turn reads.

    def group(self) -> AbstractContextManager[None]:
        """All that is written between two awaits is one."""
        return contextlib.nullcontext()

    def view(self, uid: str) -> View:
        del uid
        self.experiment = replace(
            self.experiment,
            totals=self._tally.totals(),
            best=tuple(self.pages[index].record for index in self._tally.best),
        )
        return View(self.experiment, tuple(self.unfinished), self.wishes)

    def latest(self, count: int) -> Mapping[TrialState, Sequence[str]]:
        """Return the names of those that came last into each state."""
        return {
            state: [self.pages[index].record.name for index in there]
            for state, there in self._tally.latest(count).items()
        }

    def trial(self, uid: str, index: int) -> TrialRecord:
        del uid
        if index not in self.pages:
            raise NotFound(f"there is no trial {index}")
        return self.pages[index].record

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        del attempt
        return self.trial(uid, index).observation or {}

    # The ledger: the experiment.

    def set_document(
        self, uid: str, document: Mapping[str, Any], *, version: int, suspended: bool
    ) -> None:
        del uid
        if version != self.experiment.version:
            raise Conflict("the experiment was edited meanwhile")
        self.experiment = replace(
            self.experiment, document=document, version=version + 1, suspended=suspended
        )
        self._tally.objective = objective_of(document)
        self.unwritten.spec = True

    def set_state(
        self, uid: str, state: ExperimentState, *, reason: str, message: str, now: float
    ) -> None:
        before = self.experiment
        begins = state is ExperimentState.RUNNING and before.started_at is None
        self.experiment = replace(
            before,
            state=passage(EXPERIMENT_EDGES, before.state, state),
            reason=reason,
            message=message,
            started_at=now if begins else before.started_at,
            finished_at=now if state.is_finished else None,
        )
        self.conditions = pass_to(
            self.conditions, state, reason=reason, message=message, now=written(now)
        )
        self.unwritten.status = True
        kind = "Warning" if state is ExperimentState.FAILED else "Normal"
        self.add_event(uid, index=None, kind=kind, reason=reason, message=message, now=now)

    def add_event(
        self, uid: str, *, index: int | None, kind: str, reason: str, message: str, now: float
    ) -> None:
        del uid, now
        self.unwritten.events.append(Event(kind, reason, message, index))

    def answer_wish(self, uid: str, wish_id: int) -> None:
        del uid
        self.wishes = tuple(wish for wish in self.wishes if wish.id != wish_id)
        self.unwritten.answered.add(wish_id)

    # The ledger: trials.

    def propose(
        self,
        uid: str,
        first_index: int,
        proposals: Sequence[tuple[str, Proposal]],
        *,
        made_from: int,
        now: float,
    ) -> Sequence[Proposed]:
        del uid
        if first_index != self._tally.proposed:
            raise Conflict(f"trial {first_index} is not the next one")
        entries = [
            Proposed(self._tally.next_position + offset, first_index + offset, proposal, made_from)
            for offset, (_, proposal) in enumerate(proposals)
        ]
        for entry, (name, proposal) in zip(entries, proposals, strict=True):
            record = _new_record(entry.index, name, proposal, made_from, now)
            page = Page(record, entry.position, _created(record.reason, record.message, now))
            self.pages[entry.index] = page
            self._indexes[name] = entry.index
            self._tally.passed(entry.index, None, record.state)
            self._tally.add(entry)
            self.unwritten.trials.add(entry.index)
            self.unwritten.status = True
        return entries

    def start_attempt(self, uid: str, index: int, attempt: int, *, token: str, now: float) -> None:
        """Note the attempt; its workload is what tells of it when this book is lost."""
        del uid
        record = self.pages[index].record
        last = record.attempt
        if last is not None and last.attempt >= attempt:
            return
        again = last is not None and last.reason == COMPLETED
        self._change(
            index,
            attempt=AttemptRecord(attempt, AttemptState.STARTING, token, started_at=now),
            retry_at=None,
            earlier=(*record.earlier, self._asked_of(record)) if again else record.earlier,
            observation=None,
            stop=None,
        )

    def _asked_of(self, record: TrialRecord) -> Observation:
        """Return what counts of a run that another one of the same point follows."""
        observation = record.observation or {}
        asked = self.objective.metric_names
        return {name: summary for name, summary in observation.items() if name in asked}

    def attempt_running(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        pid: int | None,
        pid_started_at: float | None,
        now: float,
    ) -> None:
        del uid, pid, pid_started_at
        record = self.pages[index].record
        if not _is_going(record, attempt) or record.attempt is None:
            return
        ran = replace(record.attempt, state=AttemptState.RUNNING, ran_at=now)
        self._change(index, attempt=ran, started_at=record.started_at or now)
        if record.state is TrialState.CREATED:
            reason = reasons.TRIAL_RUNNING
            self._pass(index, TrialState.RUNNING, reason.name, reason.message, now)

    def attempt_ended(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        exit_code: int | None,
        reason: str,
        message: str,
        usage: Usage,
        now: float,
        output: Mapping[str, bytes] | None = None,
    ) -> None:
        """Note the end; what becomes of the trial by it is written when it is decided."""
        del uid, output
        record = self.pages[index].record
        if not _is_going(record, attempt) or record.attempt is None:
            return
        ended = replace(
            record.attempt,
            state=AttemptState.ENDED,
            ended_at=now,
            exit_code=exit_code,
            reason=reason,
            message=message,
            usage=usage,
        )
        self._change(index, attempt=ended)

    def retry_trial(
        self,
        uid: str,
        index: int,
        *,
        counted: bool,
        retry_at: float,
        reason: str,
        message: str,
        now: float,
    ) -> None:
        retries = self.pages[index].record.retries + int(counted)
        self._change(index, retries=retries, retry_at=retry_at)
        self._pass(index, TrialState.CREATED, reason, message, now)
        kind = "Warning" if counted else "Normal"
        self.add_event(uid, index=index, kind=kind, reason=reason, message=message, now=now)

    def finish_trial(
        self,
        uid: str,
        index: int,
        state: TrialState,
        *,
        reason: str,
        message: str,
        own_failure: bool = False,
        min_delta: float = 0.0,
        now: float,
    ) -> Finished:
        del uid
        page = self.pages[index]
        if page.finished is not None:
            return page.finished
        self._tally.min_delta = min_delta
        outcome = self.objective.outcome([*page.record.earlier, page.record.observation or {}])
        verdict = verdict_of(outcome, state, own_failure=own_failure)
        entry = Finished.of(self._tally.next_position, index, state, verdict, outcome)
        self._change(
            index,
            finished_at=now,
            retry_at=None,
            value=outcome.value,
            deviation=outcome.deviation,
            verdict=entry.verdict,
        )
        self._pass(index, state, reason, message, now)
        self.pages[index] = replace(self.pages[index], finished=entry)
        self._tally.add(entry)
        return entry

    def drop_trial(self, uid: str, index: int, *, now: float) -> None:
        page = self.pages[index]
        if page.dropped_at is not None:
            return
        self.pages[index] = replace(
            page, record=replace(page.record, dropped=True), dropped_at=self._tally.next_position
        )
        self._tally.fold()
        self.unwritten.trials.add(index)
        self.unwritten.status = True
        reason = reasons.TRIAL_DROPPED
        self.add_event(
            uid, index=index, kind="Normal", reason=reason.name, message=reason.message, now=now
        )

    def answer_stop(self, uid: str, index: int, attempt: int) -> None:
        """Leave it: a trial that has ended is never asked to stop again."""

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]:
        """Sum up what came with the file; whatever trials report goes to the metrics service."""
        del now
        for batch in batches:
            known = self.pages[batch.index].record.observation or {}
            self._change(batch.index, observation={**known, **summarize_on(known, batch.samples)})
        return ()

    # Pages.

    def _change(self, index: int, **changes: Any) -> None:
        page = self.pages[index]
        self.pages[index] = replace(page, record=replace(page.record, **changes))

    def _pass(self, index: int, state: TrialState, reason: str, message: str, now: float) -> None:
        """Pass a trial through the door; one that is sent back before it ran stays where it is."""
        page, message = self.pages[index], message[:MESSAGE]
        old = page.record.state
        if state is not old:
            passage(TRIAL_EDGES, old, state)
            self._tally.passed(index, old, state)
        conditions = pass_to(
            page.conditions, state, reason=reason, message=message, now=written(now)
        )
        self.pages[index] = replace(page, conditions=conditions)
        self._change(index, state=state, reason=reason, message=message)
        self.unwritten.trials.add(index)
        self.unwritten.status = True


def _goes_on(old: Page | None, page: Page, most: int) -> bool:
    """Whether a page says all that it said before, or is a new one of at most so many."""
    if old is None:
        return page.is_of_space and page.dropped_at is None and page.record.index < most
    is_same = (page.record.name, page.proposed) == (old.record.name, old.proposed)
    is_kept = old.finished is None or old.finished == page.finished
    return is_same and is_kept and page.dropped_at == old.dropped_at


def without_refusal(conditions: Conditions) -> Conditions:
    """Take back that an edit was refused: the document can be read again."""
    return tuple(each for each in conditions if each.type != EDIT_REFUSED)


def _new_record(
    index: int, name: str, proposal: Proposal, made_from: int, now: float
) -> TrialRecord:
    """Return the record of a trial that was proposed, and of which nothing has begun."""
    return TrialRecord(
        index=index,
        name=name,
        state=TrialState.CREATED,
        reason=reasons.TRIAL_CREATED.name,
        message=reasons.TRIAL_CREATED.message,
        proposal=proposal,
        made_from=made_from,
        created_at=now,
        started_at=None,
        finished_at=None,
        value=None,
        attempt=None,
    )


def _created(reason: str, message: str, now: float) -> Conditions:
    return pass_to((), TrialState.CREATED, reason=reason, message=message, now=written(now))


def _is_going(record: TrialRecord, attempt: int) -> bool:
    """Whether this is the trial's last attempt, and has not ended."""
    last = record.attempt
    return last is not None and last.attempt == attempt and last.state is not AttemptState.ENDED


def _fitting(observation: Observation, asked: Sequence[str]) -> Observation:
    """Return the metrics that were asked for, and of the others, by name, those that fit in."""
    found = {name: observation[name] for name in asked if name in observation}
    room = _OTHERS
    for name in sorted(observation.keys() - found.keys()):
        summary = observation[name]
        room -= len(name) + len(as_text(summary.latest) or "") + _FRAME
        if room < 0:
            break
        found[name] = summary
    return found
