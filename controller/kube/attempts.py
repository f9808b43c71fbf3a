"""The workloads of one experiment: what became of them, and making them as the book says.

Nothing is remembered that cannot be found again: an attempt whose number stands
on a workload was begun, one that the book has begun and that has no workload is
created, a workload whose trial has ended is taken away.
"""

import asyncio
from collections.abc import Iterable, Sequence

from ...api.checkpoint import Keep
from ...api.errors import Conflict, Invalid, NotFound, Retryable, Terminal
from ...api.states import TrialState
from ...db.archive import Looked
from ...db.records import AttemptState, TrialRecord, Usage
from ...metrics_collector.spec import CollectorKind
from ..brief import Brief
from ..lineage import Lineage, recent, spare
from ..loading import Memory
from ..plan import reasons
from ..plan.view import EndReason
from ..ports import AttemptRef, Ended, Started
from ..turn import Effect, Event, StartAttempt, StopAttempt, TrialFinished
from .book import Book
from .cache import Key
from .informers import BY_EXPERIMENT
from .jobs import Jobs, attempt_of, is_of_a_trial
from .logs import LogReaders
from .outputs import keep_output, last_words
from .port import Document, name_of
from .resources import TRIALS, moment_of
from .trials import is_ahead
from .workloads.hindrance import Hindrance, hindrance
from .workloads.injection import Way
from .workloads.judgement import Conditions, judge, runs, started_at
from .workloads.pods import exit_code, is_collected, is_primary, stands_still
from .workloads.stopping import stop_patch
from .world import World
from .writing import together

AGAIN_SECONDS = 2.0
"""How soon is looked again at what cannot be started, or has not told its metrics."""

EVENTS_SECONDS = 10.0
"""How often the events about a trial that does not run are asked for."""

_SWEPT = 4
"""Generations of a population whose checkpoints are looked at: older ones were before."""

_UNWRITTEN = {CollectorKind.FILE, CollectorKind.TFEVENT, CollectorKind.PROMETHEUS}
"""Whose metrics only a collector of ours in the pod could read."""

_UNREAD = (
    "its metrics are in no log, and are not read"
    " (print them, or have the component `webhook` installed and the operator up)"
)

_PART = 500
"""How many trials a metrics service that was lost is told of at once."""


class Attempts:
    """Shares book and memory with the driver; `brief` is renewed with the document."""

    def __init__(self, world: World, book: Book, memory: Memory, brief: Brief, jobs: Jobs) -> None:
        self.brief = brief
        self.again = False
        """Whether it has to be looked at soon, although nothing happens."""
        self._world = world
        self._book = book
        self._memory = memory
        self._jobs = jobs
        self._lineage = Lineage(book, book.experiment.uid)
        self._made = {record.index for record in book.unfinished if _is_going(record)}
        self._logs = LogReaders(
            world.kube, world.archive, world.clock, lambda: world.touch(book.key)
        )
        self._way: Way | None = None
        self._read_instead: set[int] = set()  # whose collector did not tell all
        self._events_from: dict[int, float] = {}
        self._crashed: list[tuple[int, Hindrance]] = []  # trials with a crash that is not told yet
        self._told_of: dict[int, str] = {}  # the crash of a trial that was told last
        self._suspended: set[int] = set()  # asked to end, and to stay
        self._ended: dict[int, Ended] = {}  # of which is asked what they reported
        self._untold = {record.index for record in book.unfinished}  # to the metrics service
        self._leftovers = {
            name_of(each)
            for each in jobs.cache.under(BY_EXPERIMENT, book.key)
            if not brief.policy.retain and is_of_a_trial(each) and book.is_over(name_of(each))
        }

    @property
    def is_clear(self) -> bool:
        """Whether nothing of trials that have ended is left to tell or to take away."""
        return not (self._leftovers or self._untold)

    async def close(self) -> None:
        await self._logs.close()

    # What became of them.

    async def observe(self) -> list[Event]:
        """Return what happened to the attempts since the last time.

        An end is told once the metrics service has said what was reported before it.

        Raises:
            StoreUnavailable: it cannot say now.
        """
        self.again = False
        begun: list[Event] = []
        for record in self._book.unfinished:
            if await self._is_deleted(record):
                self._forsake(record)
            else:
                begun += await self._observe(self._adopt(record))
        await asyncio.gather(*map(self._tell_of_crash, self._crashed))
        self._crashed.clear()
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
        """End a trial that was deleted: there is nothing left to write it to."""
        reason, now = reasons.TRIAL_DELETED, self._world.clock.now()
        uid, index = self._book.experiment.uid, record.index
        self._book.finish_trial(
            uid, index, TrialState.KILLED, reason=reason.name, message=reason.message, now=now
        )
        self._book.unwritten.trials.discard(index)
        self._leftovers.add(record.name)
        self._let_go(index)
        self._forget(index)

    def _adopt(self, record: TrialRecord) -> TrialRecord:
        """Find an attempt that was begun before this book was opened."""
        found = self._jobs.get(self._book.experiment, record.name)
        known = record.attempt.attempt if record.attempt else 0
        if found is None or attempt_of(found) <= known:
            return record
        uid, now = self._book.experiment.uid, self._world.clock.now()
        self._book.start_attempt(uid, record.index, attempt_of(found), token="", now=now)
        return self._book.trial(uid, record.index)

    async def _observe(self, record: TrialRecord) -> list[Event]:
        """Return that an attempt runs; note its end."""
        if not _is_going(record):
            return []
        ref, now = self._ref(record), self._world.clock.now()
        found = self._jobs.get(self._book.experiment, record.name)
        if found is None or attempt_of(found) != ref.attempt:
            if await self._is_gone(record):
                self._ended[ref.index] = self._gone(ref, now)
            return []
        self._made.add(ref.index)
        pods = self._pods(record.name)
        self._read_logs(record, pods)
        end = self._end(ref, found, pods, now)
        if end is not None:
            self._ended[ref.index] = end
        if not _is_starting(record):
            if end is None:
                self._note_crash(record, found, pods)
            return []
        has_run = runs(found, pods)
        if end is None and not has_run:
            await self._explain(record, found, pods)
        if not has_run and (end is None or end.reason is EndReason.STOPPED):
            return []
        self._memory.of(ref.index).waits_for = ""
        self._tell_unread(record, pods)
        self.again |= end is None and _crash(found, pods) is not None  # told of one that runs
        return [Started(ref, None, None, moment_of(started_at(found)) or now)]

    @property
    def _is_written(self) -> bool:
        """Whether the metrics are in what the program writes to its streams: in a log."""
        return self.brief.collector.kind is CollectorKind.STDOUT

    def _read_logs(self, record: TrialRecord, pods: Sequence[Document]) -> None:
        """Have the logs read of pods without a collector, where metrics are in what is printed."""
        if self._is_written and self._way_of(record) is Way.LOGS:
            bare = [pod for pod in pods if not is_collected(pod)]
            self._logs.follow(self._book.experiment, self.brief, record, bare)

    def _tell_unread(self, record: TrialRecord, pods: Sequence[Document]) -> None:
        """Say that metrics of primary pods without a collector are in no log."""
        if self.brief.collector.kind not in _UNWRITTEN or self._way_of(record) is not Way.LOGS:
            return
        for pod in pods:
            if is_primary(pod, self.brief.primary_labels) and not is_collected(pod):
                note = f"Pod {name_of(pod)} was created without a collector: {_UNREAD}"
                about = self._book.about(record.index)
                self._world.notices.say(about, "Warning", "NoCollector", note)

    def _way_of(self, record: TrialRecord) -> Way:
        """Say how metrics come: all trials are alike in that."""
        if self._way is None:
            self._way = self._jobs.way(self._book.experiment, self.brief, record)
        return self._way

    async def _is_gone(self, record: TrialRecord) -> bool:
        """Whether an attempt has no workload any more, or was asked to end before it had one."""
        if record.index in self._made:
            return await self._jobs.is_gone(self._book.experiment, record.name)
        return self._memory.of(record.index).stopping is not None

    def _gone(self, ref: AttemptRef, now: float) -> Ended:
        if self._memory.of(ref.index).stopping is not None:
            return Ended(ref, EndReason.STOPPED, None, "", Usage(), now)
        message = "it was deleted by another hand"
        return Ended(ref, EndReason.LOST, None, message, Usage(), now)

    def _end(
        self, ref: AttemptRef, found: Document, pods: Sequence[Document], now: float
    ) -> Ended | None:
        """Return how a workload that is there has ended, None while it has not."""
        if ref.index in self._suspended:
            if not stands_still(found, pods):
                return None
            return Ended(ref, EndReason.STOPPED, None, "", Usage(), now)
        ended = judge(found, Conditions(self.brief.success, self.brief.failure))
        if ended is None:
            return None
        if ended.succeeded:
            return Ended(ref, EndReason.COMPLETED, 0, ended.message, Usage(), now)
        why = hindrance(found, pods, ())
        out_of_memory = why is not None and why.reason is reasons.OUT_OF_MEMORY
        reason = EndReason.OUT_OF_MEMORY if out_of_memory else EndReason.FAILED
        said = (ended.reason, ended.message, why.detail if why else "")
        code = exit_code(pods, self.brief.primary_container)
        return Ended(ref, reason, code, ": ".join(filter(None, said)), Usage(), now)

    async def _explain(
        self, record: TrialRecord, found: Document, pods: Sequence[Document]
    ) -> None:
        """Say why an attempt that was begun does not run.

        Pods say most of it; events, which have to be asked for, only now and then.
        """
        self.again = True
        if self._is_stopping(record):
            return  # it stands still because we asked it to
        began, now = record.attempt.started_at if record.attempt else None, self._world.clock.now()
        if began is None or now - began < AGAIN_SECONDS:
            return
        why = hindrance(found, pods, ())
        if why is None and now >= self._events_from.get(record.index, 0.0):
            self._events_from[record.index] = now + EVENTS_SECONDS
            why = hindrance(found, pods, await self._jobs.events(found, pods))
        if why is not None:
            self._say(record.index, why.reason.name, why.message)

    def _note_crash(self, record: TrialRecord, found: Document, pods: Sequence[Document]) -> None:
        """Note that a pod of a trial crashed although its workload goes on."""
        why = _crash(found, pods)
        if why is not None and self._told_of.get(record.index) != why.detail:
            self._told_of[record.index] = why.detail
            self._crashed.append((record.index, why))

    async def _tell_of_crash(self, crash: tuple[int, Hindrance]) -> None:
        """Say it at once, with what was written last."""
        index, why = crash
        assert why.crashed is not None
        words = await last_words(self._world.kube, self._book.key.namespace, why.crashed)
        said = f"{why.message}: {words}" if words else why.message
        self._book.say(index, why.reason.name, said, self._world.clock.now())

    def _say(self, index: int, reason: str, message: str) -> None:
        self._memory.of(index).waits_for = message
        self._book.say(index, reason, message, self._world.clock.now())

    def _pods(self, trial: str) -> Sequence[Document]:
        return self._world.informers.pods(Key(self._book.key.namespace, trial))

    async def _look(self) -> list[Event]:
        """Ask what the attempts reported that have ended; return their ends."""
        waiting = {
            record.index: record.attempt.attempt
            for record in self._book.unfinished
            if record.attempt is not None and self._memory.of(record.index).metrics_open
        }
        ready = {i: each for i, each in self._ended.items() if not self._logs.is_reading(i)}
        self.again |= len(ready) < len(self._ended)
        wanted = waiting | {index: ended.ref.attempt for index, ended in ready.items()}
        if not wanted:
            return []
        looked = await self._world.archive.look(self._book.experiment.uid, tuple(wanted.items()))
        metric = self._book.objective.metric.name
        for index in wanted:
            found, passing = looked.get(index), self._memory.of(index)
            if found is None:
                continue  # it was never told of this attempt, and so was nobody
            self._book.observe(index, found.observation)
            passing.metrics_open = metric not in found.observation and not found.done
            passing.last_sign_at, passing.metrics_seen = found.last_sign_at, found.metrics_seen
            self.again |= passing.metrics_open
        told = [i for i in ready if not self._is_to_read(i, looked.get(i))]
        self.again |= len(told) < len(ready)
        await asyncio.gather(*map(self._keep_output, told))
        for index in told:
            self._let_go(index)
        return [ready[index] for index in told]

    async def _keep_output(self, index: int) -> None:
        """Keep the end of what the last attempt wrote, while its pods are there."""
        record = self._book.pages[index].record
        number = record.attempt.attempt if record.attempt else 1
        await keep_output(
            self._world.kube,
            self._world.archive,
            (self._book.experiment.uid, index, number),
            self._pods(record.name),
            container=self.brief.primary_container,
            labels=self.brief.primary_labels,
        )

    def _is_to_read(self, index: int, found: Looked | None) -> bool:
        """Whether an ended trial's collector could not tell all, and its logs are read instead."""
        record = self._book.pages[index].record
        is_told = found is None or found.done or index in self._read_instead
        pods = [pod for pod in self._pods(record.name) if is_collected(pod)]
        if is_told or not self._is_written or not pods:
            return False
        self._read_instead.add(index)
        self._logs.follow(self._book.experiment, self.brief, record, pods, instead=True)
        return self._logs.is_reading(index)

    def _let_go(self, index: int) -> None:
        """Forget an attempt that has ended; another may follow it."""
        self._ended.pop(index, None)
        self._events_from.pop(index, None)
        self._told_of.pop(index, None)
        self._logs.forget(index)
        self._made.discard(index)
        self._read_instead.discard(index)
        self._suspended.discard(index)
        self._memory.of(index).stopping = None

    # Making them.

    def note(self, effects: Iterable[Effect]) -> None:
        """Take in what a turn decided."""
        for effect in effects:
            match effect:
                case StartAttempt():
                    self._memory.of(effect.ref.index).waits_for = ""
                case StopAttempt():
                    self._memory.of(effect.ref.index).stopping = effect.grace
                case TrialFinished():
                    if not self.brief.policy.retain:
                        self._leftovers.add(effect.record.name)
                    self._forget(effect.record.index)

    def _forget(self, index: int) -> None:
        self._untold.add(index)
        self._memory.trials.pop(index, None)

    async def make(self) -> None:
        """End what is to end, begin what is to begin, and take away what is left.

        Raises:
            ServerUnavailable: the API server is away.
        """
        unfinished = self._book.unfinished
        stopping = [each for each in unfinished if _is_going(each) and self._is_stopping(each)]
        starting = [each for each in unfinished if self._is_to_begin(each)]
        over = [each.name for each in unfinished if _is_sent_back(each)]
        await self._mark()
        if not await self._tell(starting):
            starting = []
        await together(
            [
                *(self._stop(record) for record in stopping),
                *(self._begin(record) for record in starting),
                *(self._clear(name) for name in (*self._leftovers, *over)),
            ]
        )

    async def _mark(self) -> None:
        """Have the API server ask about pods that are made elsewhere, while there may be some."""
        if self._world.pod_webhook is not None:
            begun = any(each.attempt is not None for each in self._book.unfinished)
            await self._world.pod_webhook.hold(self._book.key, self._kind, holds=begun)

    @property
    def _kind(self) -> str:
        source = self.brief.template.source
        assert not isinstance(source, str)  # `with_template` has read it
        return str(source["kind"])

    def _is_stopping(self, record: TrialRecord) -> bool:
        return self._memory.of(record.index).stopping is not None

    def _is_to_begin(self, record: TrialRecord) -> bool:
        unmade = _is_starting(record) and record.index not in self._made
        return unmade and not self._is_stopping(record)

    async def _tell(self, starting: Sequence[TrialRecord]) -> bool:
        """Tell the metrics service of trials before they report, and of those that have ended.

        Says whether they may begin: nobody would take their reports while it is away.
        """
        if not starting and not self._untold:
            return True
        indexes = self._untold | {record.index for record in starting}
        try:
            lacking = await self._keep(sorted(indexes))
            while lacking <= max(indexes):
                more = range(lacking, min(lacking + _PART, self._book.proposed))
                lacking = await self._keep(more)
        except Retryable as error:
            self.again = True
            for record in starting:
                self._say(
                    record.index, reasons.STORE_AWAY.name, reasons.STORE_AWAY.about(str(error))
                )
            return False
        self._untold -= indexes
        return True

    async def _keep(self, indexes: Iterable[int]) -> int:
        records = [self._book.told(index) for index in indexes]
        lacking: int = await self._world.archive.keep(self._book.experiment, records)
        return lacking

    def _spare(self) -> Sequence[str]:
        """Return whose checkpoints are of no use any more, of the generations before last."""
        kept = self.brief.checkpoint
        if kept is None or kept.keep is Keep.ALL:
            return ()
        members = self._lineage.members(self._book.key.name)
        best = self._book.experiment.best
        return spare(recent(members, _SWEPT), best[0].name if best else None)

    async def _begin(self, record: TrialRecord) -> None:
        uid = self._book.pages[record.index].uid
        try:
            await self._jobs.create(
                self._book.experiment, self.brief, record, uid, spare=self._spare()
            )
        except Invalid as error:
            ref, now = self._ref(record), self._world.clock.now()
            self._ended[record.index] = Ended(
                ref, EndReason.REFUSED, None, str(error), Usage(), now
            )
            self.again = True
        except Terminal as error:  # a quota, a webhook: it may change its mind
            self.again = True
            self._say(record.index, reasons.REFUSED_BY_CLUSTER.name, str(error))
        else:
            self._made.add(record.index)
            self.again = True  # what does not happen to it is told by nobody

    async def _stop(self, record: TrialRecord) -> None:
        found = self._jobs.get(self._book.experiment, record.name)
        if found is None or record.index in self._suspended:
            return
        retain = self.brief.policy.retain
        if not found["metadata"].get("deletionTimestamp"):
            await self._keep_output(record.index)
        await self._jobs.stop(found, retain=retain)
        if stop_patch(found, retain=retain) is not None:
            self._suspended.add(record.index)
            self.again = True

    async def _clear(self, name: str) -> None:
        found = self._jobs.get(self._book.experiment, name)
        if found is not None:
            await self._jobs.remove(found)
        else:
            self._leftovers.discard(name)

    def _ref(self, record: TrialRecord) -> AttemptRef:
        assert record.attempt is not None
        attempt = record.attempt
        uid = self._book.experiment.uid
        return AttemptRef(uid, record.index, record.name, attempt.attempt, attempt.token)


def _crash(found: Document, pods: Sequence[Document]) -> Hindrance | None:
    """Return that a container has failed, of a workload that goes on."""
    why = hindrance(found, pods, ())
    return why if why is not None and why.crashed is not None else None


def _is_going(record: TrialRecord) -> bool:
    return record.attempt is not None and record.attempt.state is not AttemptState.ENDED


def _is_starting(record: TrialRecord) -> bool:
    return record.attempt is not None and record.attempt.state is AttemptState.STARTING


def _is_sent_back(record: TrialRecord) -> bool:
    """Whether its last attempt is over, and another is due."""
    ended = record.attempt is not None and record.attempt.state is AttemptState.ENDED
    return ended and record.retry_at is not None
