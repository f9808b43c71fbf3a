"""What is known of one experiment's attempts besides the book.

Nothing here need survive: an attempt whose number stands on a workload was begun,
one that the book has begun and that has no workload is created, a workload whose
trial has ended is taken away. `observing`, `waiting` and `making` share it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from ...db.records import AttemptState, TrialRecord
from ..brief import Brief
from ..effects import Effect, StartAttempt, StopAttempt, TrialFinished
from ..loading import Memory
from ..ports import AttemptRef, Ended
from .book import Book
from .cache import Key
from .informers import BY_EXPERIMENT
from .jobs import Jobs, is_of_a_trial
from .logs import LogReaders
from .outputs import keep_output
from .port import Document, name_of
from .workloads.hindrance import Hindrance
from .workloads.injection import Way
from .workloads.pods import stands_still
from .world import World

AGAIN_SECONDS = 2.0
"""How soon is looked again at what cannot be started, or has not told its metrics."""

FAILED_KEPT = 3
"""How many workloads of failed trials stay until the experiment ends, to be looked at."""


@dataclass(slots=True)
class Attempt:
    """The last attempt of a trial, until its end is told."""

    made: bool = False  # it has a workload, or had one
    suspended: bool = False  # asked to end, and to stay
    ended: Ended | None = None  # while it is asked what was reported
    read_instead: bool = False  # its collector did not tell all, its log does
    events_from: float = 0.0  # when its events may be asked for again
    crash: Hindrance | None = None  # not told yet
    told_crash: str = ""  # the one that was told last


class Attempts:
    """Shares book and memory with the driver; `brief` is renewed with the document."""

    def __init__(self, world: World, book: Book, memory: Memory, brief: Brief, jobs: Jobs) -> None:
        self.world = world
        self.book = book
        self.brief = brief
        self.jobs = jobs
        self.again = False
        """Whether it has to be looked at soon, although nothing happens."""
        self.logs = LogReaders(
            world.kube, world.archive, world.clock, lambda: world.touch(book.key)
        )
        self.untold = {record.index for record in book.unfinished}
        """The trials of which the metrics service is to be told."""
        self.leftovers = {
            name_of(each)
            for each in jobs.cache.under(BY_EXPERIMENT, book.key)
            if not brief.policy.retain and is_of_a_trial(each) and book.is_over(name_of(each))
        }
        """The workloads that are to be taken away, by name."""
        self.memory = memory
        self._of = {each.index: Attempt(made=True) for each in book.unfinished if is_going(each)}
        self._way: Way | None = None

    @property
    def is_clear(self) -> bool:
        """Whether nothing of trials that have ended is left to tell or to take away."""
        return not (self.leftovers or self.untold)

    async def close(self) -> None:
        await self.logs.close()

    def to_clear(self) -> set[str]:
        """Return whose workloads to delete now: the first few that failed stay until the end."""
        if self.book.experiment.state.is_finished:
            return set(self.leftovers)
        failed = {name: at for name in self.leftovers if (at := self.book.failed_at(name))}
        still = filter(self._stands_still, sorted(failed, key=failed.__getitem__))
        return self.leftovers.difference(islice(still, FAILED_KEPT))

    def _stands_still(self, trial: str) -> bool:
        found = self.jobs.get(self.book.experiment, trial)
        return found is not None and stands_still(found, self.pods(trial))

    def of(self, index: int) -> Attempt:
        return self._of.setdefault(index, Attempt())

    @property
    def ended(self) -> dict[int, Ended]:
        """The ends that are not told yet."""
        return {i: each.ended for i, each in self._of.items() if each.ended is not None}

    @property
    def crashes(self) -> dict[int, Hindrance]:
        """The crashes that are not told yet."""
        return {i: each.crash for i, each in self._of.items() if each.crash is not None}

    def ref(self, record: TrialRecord) -> AttemptRef:
        return AttemptRef.last_of(self.book.experiment.uid, record)

    def workload(self, record: TrialRecord) -> Document | None:
        return self.jobs.get(self.book.experiment, record.name)

    def pods(self, trial: str) -> Sequence[Document]:
        return self.world.informers.pods(Key(self.book.key.namespace, trial))

    def is_stopping(self, index: int) -> bool:
        return self.memory.of(index).stopping is not None

    def way_of(self, record: TrialRecord) -> Way:
        """Say how metrics come: all trials are alike in that."""
        if self._way is None:
            self._way = self.jobs.way(self.book.experiment, self.brief, record)
        return self._way

    def say(self, index: int, reason: str, message: str) -> None:
        """Say what a trial waits for."""
        self.memory.of(index).waits_for = message
        self.book.say(index, reason, message, self.world.clock.now())

    def note(self, effects: Iterable[Effect]) -> None:
        """Take in what a turn decided."""
        for effect in effects:
            match effect:
                case StartAttempt():
                    self.memory.of(effect.ref.index).waits_for = ""
                case StopAttempt():
                    self.memory.of(effect.ref.index).stopping = effect.grace
                case TrialFinished():
                    if not self.brief.policy.retain:
                        self.leftovers.add(effect.record.name)
                    self.forget(effect.record.index)

    def let_go(self, index: int) -> None:
        """Forget an attempt that has ended; another may follow it."""
        self._of.pop(index, None)
        self.logs.forget(index)
        self.memory.of(index).stopping = None

    def forget(self, index: int) -> None:
        """Forget a trial that has ended, once the metrics service is told."""
        self.untold.add(index)
        self._of.pop(index, None)
        self.memory.trials.pop(index, None)

    async def keep_output(self, index: int) -> None:
        """Keep the end of what the last attempt wrote, while its pods are there."""
        record = self.book.pages[index].record
        number = record.attempt.attempt if record.attempt else 1
        await keep_output(
            self.world.kube,
            self.world.archive,
            (self.book.experiment.uid, index, number),
            self.pods(record.name),
            container=self.brief.primary_container,
            labels=self.brief.primary_labels,
        )


def is_going(record: TrialRecord) -> bool:
    return record.attempt is not None and record.attempt.state is not AttemptState.ENDED


def is_starting(record: TrialRecord) -> bool:
    return record.attempt is not None and record.attempt.state is AttemptState.STARTING


def is_sent_back(record: TrialRecord) -> bool:
    """Whether its last attempt is over, and another is due."""
    ended = record.attempt is not None and record.attempt.state is AttemptState.ENDED
    return ended and record.retry_at is not None
