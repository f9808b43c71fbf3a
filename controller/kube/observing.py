"""What became of the attempts: begun, ended, deleted by another hand; and what they reported."""

import asyncio
from collections.abc import Sequence

from ...api.errors import Conflict, NotFound
from ...api.states import TrialState
from ...db.archive import Looked
from ...db.records import TrialRecord, Usage
from ...metrics_collector.spec import CollectorKind
from ..effects import Event
from ..plan import reasons
from ..plan.view import EndReason
from ..ports import AttemptRef, Ended, Started
from .attempts import Attempts, is_going, is_starting
from .cache import Key
from .fields import moment_of
from .jobs import attempt_of
from .port import Document
from .resources import TRIALS
from .trials import is_ahead
from .waiting import Explainer, crash_of
from .workloads.hindrance import hindrance
from .workloads.injection import Way
from .workloads.judgement import EndConditions, judge, runs, started_at
from .workloads.pods import exit_code, is_collected, ran_seconds, stands_still


class AttemptObserver:
    """Sees what became of the attempts of one experiment's trials."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._world = attempts.world
        self._book = attempts.book
        self._memory = attempts.memory
        self._explainer = Explainer(attempts)

    async def observe(self) -> list[Event]:
        """Return what happened to the attempts since the last time.

        An end is told once the metrics service has said what was reported before it.

        Raises:
            Retryable: it cannot say now, or the server cannot.
        """
        self._attempts.again = False
        begun: list[Event] = []
        for record in self._book.unfinished:
            if await self._is_deleted(record):
                self._forsake(record)
            else:
                begun += await self._observe(self._adopt(record))
        await self._explainer.tell_of_crashes()
        return [*begun, *await self._look()]

    async def _is_deleted(self, record: TrialRecord) -> bool:
        """Whether another hand deleted the trial; a cache that lacks it is not enough to say so.

        Raises:
            Conflict: another operator took it further: the book is not what there is.
        """
        key, found = self._book.key, self._world.informers.trial(self._book.key, record.name)
        if found is not None and is_ahead(found, record):
            raise Conflict(f"another operator drives {key.name}")
        if found is not None or not self._book.pages[record.index].uid:
            return False
        try:
            await self._world.kube.get(TRIALS, key.namespace, record.name)
        except NotFound:
            return True
        return False

    def _forsake(self, record: TrialRecord) -> None:
        """End a trial whose resource was deleted: its end cannot be written there any more."""
        reason, now = reasons.TRIAL_DELETED, self._world.clock.now()
        uid, index = self._book.experiment.uid, record.index
        self._book.finish_trial(
            uid, index, TrialState.KILLED, reason=reason.name, message=reason.message, now=now
        )
        self._book.unwritten.trials.discard(index)
        self._attempts.leftovers.add(record.name)
        self._attempts.let_go(index)
        self._attempts.forget(index)

    # Begun and ended.

    def _adopt(self, record: TrialRecord) -> TrialRecord:
        """Find an attempt that was begun before this book was opened."""
        found = self._attempts.workload(record)
        known = record.attempt.attempt if record.attempt else 0
        if found is None or attempt_of(found) <= known:
            return record
        uid, now = self._book.experiment.uid, self._world.clock.now()
        self._book.start_attempt(uid, record.index, attempt_of(found), token="", now=now)
        return self._book.trial(uid, record.index)

    async def _observe(self, record: TrialRecord) -> list[Event]:
        """Return the event that an attempt has begun to run, if so; note its end in `attempts`."""
        if not is_going(record):
            return []
        ref, attempt = self._attempts.ref(record), self._attempts.of(record.index)
        found = self._attempts.workload(record)
        if found is None or attempt_of(found) != ref.attempt:
            if await self._is_gone(record):
                attempt.ended = self._gone(ref)
            return []
        attempt.made = True
        pods = self._attempts.pods(record.name)
        self._read_logs(record, pods)
        end = self._end(ref, found, pods)
        attempt.ended = end or attempt.ended
        if not is_starting(record):
            if end is None:
                self._explainer.note_crash(record, found, pods)
            return []
        return await self._begun(record, found, pods, end)

    async def _begun(
        self, record: TrialRecord, found: Document, pods: Sequence[Document], end: Ended | None
    ) -> list[Event]:
        """Return the event that a starting attempt runs, or say why it does not."""
        has_run = runs(found, pods)
        if end is None and not has_run:
            await self._explainer.explain(record, found, pods)
        if not has_run and (end is None or end.reason is EndReason.STOPPED):
            return []
        self._memory.of(record.index).waits_for = ""
        self._explainer.tell_unread(record, pods)
        # A crash is told of one that runs: the next step finds it.
        self._attempts.again |= end is None and crash_of(found, pods) is not None
        moment = moment_of(started_at(found)) or self._world.clock.now()
        return [Started(self._attempts.ref(record), None, None, moment)]

    async def _is_gone(self, record: TrialRecord) -> bool:
        """Whether an attempt has no workload any more, or was asked to end before it had one."""
        if self._attempts.of(record.index).made:
            return await self._attempts.jobs.is_gone(self._book.experiment, record.name)
        return self._attempts.is_stopping(record.index)

    def _gone(self, ref: AttemptRef) -> Ended:
        now = self._world.clock.now()
        if self._attempts.is_stopping(ref.index):
            return Ended(ref, EndReason.STOPPED, None, "", Usage(), now)
        message = "it was deleted by another hand"
        return Ended(ref, EndReason.LOST, None, message, Usage(), now)

    def _end(self, ref: AttemptRef, found: Document, pods: Sequence[Document]) -> Ended | None:
        """Return how a workload that is there has ended, None while it has not."""
        brief, now = self._attempts.brief, self._world.clock.now()
        if self._attempts.of(ref.index).suspended:
            if not stands_still(found, pods):
                return None
            return Ended(ref, EndReason.STOPPED, None, "", self._usage(pods), now)
        ended = judge(found, EndConditions(brief.success, brief.failure))
        if ended is None:
            return None
        if ended.succeeded:
            return Ended(ref, EndReason.COMPLETED, 0, ended.message, self._usage(pods), now)
        why = hindrance(found, pods, ())
        out_of_memory = why is not None and why.reason is reasons.OUT_OF_MEMORY
        reason = EndReason.OUT_OF_MEMORY if out_of_memory else EndReason.FAILED
        said = (ended.reason, ended.message, why.detail if why else "")
        code = exit_code(pods, brief.primary_container)
        return Ended(ref, reason, code, ": ".join(filter(None, said)), self._usage(pods), now)

    def _usage(self, pods: Sequence[Document]) -> Usage:
        return Usage(ran_seconds(pods, self._attempts.brief.primary_container))

    # What they reported.

    @property
    def _is_written(self) -> bool:
        """Whether the metrics are in what the program writes to its streams: in a log."""
        return self._attempts.brief.collector.kind is CollectorKind.STDOUT

    def _read_logs(self, record: TrialRecord, pods: Sequence[Document]) -> None:
        """Have the logs read of pods without a collector, where metrics are in what is printed."""
        if self._is_written and self._attempts.way_of(record) is Way.LOGS:
            bare = [pod for pod in pods if not is_collected(pod)]
            self._attempts.logs.follow(self._book.experiment, self._attempts.brief, record, bare)

    async def _read_late_logs(self) -> None:
        """Read the logs of pods that were not seen before their workload's end was."""
        for index in self._attempts.ended:
            record = self._book.pages[index].record
            is_read_here = self._is_written and self._attempts.way_of(record) is Way.LOGS
            if is_read_here and not self._attempts.logs.has_read(index):
                trial = Key(self._book.key.namespace, record.name)
                self._read_logs(record, await self._world.informers.pods_anew(trial))

    async def _look(self) -> list[Event]:
        """Ask what the attempts reported that have ended; return their ends."""
        waiting = {
            record.index: record.attempt.attempt
            for record in self._book.unfinished
            if record.attempt is not None and self._memory.of(record.index).metrics_open
        }
        await self._read_late_logs()
        ended = self._attempts.ended
        ready = {i: end for i, end in ended.items() if not self._attempts.logs.is_reading(i)}
        self._attempts.again |= len(ready) < len(ended)
        wanted = waiting | {index: end.ref.attempt for index, end in ready.items()}
        if not wanted:
            return []
        looked = await self._world.archive.look(self._book.experiment.uid, tuple(wanted.items()))
        for index in wanted:
            self._take_in(index, looked.get(index))
        told = [index for index in ready if not self._is_to_read(index, looked.get(index))]
        self._attempts.again |= len(told) < len(ready)
        await asyncio.gather(*map(self._attempts.keep_output, told))
        for index in told:
            self._attempts.let_go(index)
        return [ready[index] for index in told]

    def _take_in(self, index: int, found: Looked | None) -> None:
        """Take in what an attempt reported; None: the metrics service was never told of it."""
        if found is None:
            return
        passing, metric = self._memory.of(index), self._book.objective.metric.name
        self._book.observe(index, found.observation)
        passing.metrics_open = metric not in found.observation and not found.done
        passing.last_sign_at, passing.metrics_seen = found.last_sign_at, found.metrics_seen
        self._attempts.again |= passing.metrics_open

    def _is_to_read(self, index: int, found: Looked | None) -> bool:
        """Whether an ended trial's collector could not tell all, and its logs are read instead."""
        record, attempt = self._book.pages[index].record, self._attempts.of(index)
        is_told = found is None or found.done or attempt.read_instead
        pods = [pod for pod in self._attempts.pods(record.name) if is_collected(pod)]
        if is_told or not self._is_written or not pods:
            return False
        attempt.read_instead = True
        logs = self._attempts.logs
        logs.follow(self._book.experiment, self._attempts.brief, record, pods, instead=True)
        return logs.is_reading(index)
