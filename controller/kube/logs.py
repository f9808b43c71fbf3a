"""Metrics of trials whose pods have no collector: read from their logs, through the API server.

A log is read from its beginning, and from there again if it breaks off or the operator was
restarted: the same lines give the same samples under the same numbers, so that those already
stored change nothing. A log also ends when the server goes away; the pod's status tells
whether its container has ended. Where a collector could not deliver everything, the log is
read in its place and under its source name, for the same reason.
"""

import asyncio
import contextlib
import logging
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ...api.errors import (
    Forbidden,
    Invalid,
    NotFound,
    Retryable,
    ServerUnavailable,
    TunewrightError,
)
from ...api.moments import read
from ...api.observation import Batch, PlainSample
from ...db.records import ExperimentRecord, Reporter, TrialRecord
from ...metrics_collector.collection import Collection
from ...metrics_collector.sidecar import MOST_SENT, MOST_WAITING, reporter
from ..brief import Brief
from ..ports import Clock
from .archive import Archive
from .cache import Key
from .port import Document, Kube, Selection, name_of
from .resources import PODS
from .workloads.pods import is_primary

SEND_SECONDS = 0.5
SILENCE = 900.0
"""Seconds without a line after which a connection is taken for dead."""

END_SECONDS = 5.0
"""How long a pod may take to tell that its container has ended."""

LOOK_SECONDS = 0.25
DOUBTS, DOUBT_SECONDS = 60, 1.0
"""How often, and how far apart, a log is asked for that was refused: it may be granted later."""

UNREAD = 300
"""How often a log is asked for that is not given, once nothing more will be written to it: the
node that has it may be restarting."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """One container's log, and whom it is about."""

    experiment: str
    trial: Key
    index: int
    attempt: int
    pod: str
    starts: int
    source: str


_Place: TypeAlias = tuple[int, str, int]
"""A trial, a pod of it, and how often its container was started anew."""


class LogReaders:
    """Reads the logs of one experiment's trials, each once; `on_end` hears of each end."""

    def __init__(
        self, kube: Kube, archive: Archive, clock: Clock, on_end: Callable[[], None]
    ) -> None:
        self._kube = kube
        self._archive = archive
        self._clock = clock
        self._on_end = on_end
        self._tasks: dict[_Place, asyncio.Task[None]] = {}

    def follow(
        self,
        experiment: ExperimentRecord,
        brief: Brief,
        record: TrialRecord,
        pods: Iterable[Document],
        *,
        instead: bool = False,
    ) -> None:
        """Begin to read the primary pods of a trial whose logs are not read yet.

        `instead` says that the pods have collectors, which delivered a part at most.
        """
        for pod in pods:
            starts, uid = _starts(pod, brief), pod["metadata"]["uid"]
            place = (record.index, uid, starts)
            if not starts or place in self._tasks:
                continue
            name = name_of(pod)
            about = _Read(
                experiment.uid,
                Key(experiment.key.namespace, record.name),
                record.index,
                record.attempt.attempt if record.attempt else 1,
                name,
                starts,
                reporter(brief.collector.kind, uid) if instead else _source(uid, starts),
            )
            task = self._tasks[place] = asyncio.create_task(self._read(about, brief))
            task.add_done_callback(lambda _: self._on_end())

    def has_read(self, index: int) -> bool:
        """Whether a log of the trial is being read, or was."""
        return any(place[0] == index for place in self._tasks)

    def is_reading(self, index: int) -> bool:
        """Whether a log of the trial has not been read to its end."""
        return any(place[0] == index and not task.done() for place, task in self._tasks.items())

    def forget(self, index: int) -> None:
        """The trial has ended; its logs are not read again."""
        for place in [place for place in self._tasks if place[0] == index]:
            self._tasks.pop(place).cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, about: _Read, brief: Brief) -> None:
        """Read one log to its end, from its beginning as often as it breaks off."""
        doubts, unread = DOUBTS, UNREAD
        while True:
            try:
                await self._read_once(about, brief)
            except Retryable as error:
                unread -= await self._is_over(about, brief)
                if not unread:
                    log.warning("the log of %s is not to be had: %s", about.pod, error)
                    return
                await asyncio.sleep(error.after)
            except (Invalid, NotFound):
                return  # the pod is gone, and what it wrote with it
            except TunewrightError as error:
                if not doubts or not isinstance(error, Forbidden):
                    log.warning("the log of %s cannot be read: %s", about.pod, error)
                    return
                doubts -= 1
                await asyncio.sleep(DOUBT_SECONDS)
            else:
                return

    async def _read_once(self, about: _Read, brief: Brief) -> None:
        collection = Collection(brief.collector, brief.objective.metric_names)
        waiting: list[PlainSample] = []
        sender = _Sender(self._archive, about, collection, waiting)
        container = brief.primary_container
        namespace = about.trial.namespace
        async with self._kube.log(namespace, about.pod, container, silence=SILENCE) as pieces:
            sending = asyncio.create_task(sender.run())
            try:
                await _collect(pieces, collection, waiting, sender)
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
        await self._check_ended(about, brief)
        waiting += await collection.finish(self._clock.now())
        await sender.deliver(done=True)

    async def _check_ended(self, about: _Read, brief: Brief) -> None:
        """Let the end of a log count only where its container has ended.

        Raises:
            ServerUnavailable: the container goes on, or nobody can say.
        """
        for _ in range(round(END_SECONDS / LOOK_SECONDS)):
            if await self._going(about, brief) is None:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise ServerUnavailable(f"the log of {about.pod} broke off", after=LOOK_SECONDS)

    async def _is_over(self, about: _Read, brief: Brief) -> bool:
        """Whether the API server says that the container has ended, or that its pod is to be gone.

        A node that is down tells no end: its pods are deleted, and stay until it is back.
        """
        try:
            pod = await self._going(about, brief)
        except TunewrightError:
            return False
        return pod is None or "deletionTimestamp" in pod["metadata"]

    async def _going(self, about: _Read, brief: Brief) -> Document | None:
        """Return the pod while the container runs whose log it is.

        Raises:
            ServerUnavailable: nobody can say.
        """
        selection = Selection(PODS, about.trial.namespace, fields=f"metadata.name={about.pod}")
        pods = (await self._kube.list(selection)).documents
        going = (pod for pod in pods if _starts(pod, brief) == about.starts and _runs(pod, brief))
        return next(going, None)


async def _collect(
    pieces: AsyncIterator[bytes],
    collection: Collection,
    waiting: list[PlainSample],
    sender: "_Sender",
) -> None:
    """Read a log, and no further than what can be told of it: the operator's memory is for all."""
    at: float | None = None
    begins = True
    async for piece in pieces:
        text = piece
        if begins:
            written, _, text = piece.partition(b" ")
            at = _time(written)
        begins = piece.endswith(b"\n")
        if at is not None:
            waiting += collection.feed("stdout", text, at)
        if len(waiting) > MOST_WAITING:
            await sender.deliver()


def _time(written: bytes) -> float | None:
    """Return the time of a line; None of one that the API server wrote in the log's place."""
    try:
        return read(written.decode())
    except ValueError:
        return None


class _Sender:
    """Reports what waits, now and then."""

    def __init__(
        self, archive: Archive, about: _Read, collection: Collection, waiting: list[PlainSample]
    ) -> None:
        self._archive = archive
        self._about = about
        self._collection = collection
        self._waiting = waiting
        self._sequence = 0
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SEND_SECONDS)
            if self._waiting:
                with contextlib.suppress(Forbidden):  # what it still is at the log's end is told
                    await self.deliver()

    async def deliver(self, *, done: bool = False) -> None:
        """Send what waits, whenever it is taken: the pod may be gone before a second reading."""
        async with self._sending:
            while True:
                try:
                    await self._send(done=done)
                except Retryable as error:
                    await asyncio.sleep(error.after)
                else:
                    if not self._waiting:
                        return

    async def _send(self, *, done: bool) -> None:
        """Send so much of what waits as one request may hold; `done` is said with the last."""
        samples = tuple(self._waiting[:MOST_SENT])
        done = done and len(samples) == len(self._waiting)
        about, source = self._about, self._about.source
        batch = Batch(about.experiment, about.index, about.attempt, source, self._sequence, samples)
        seen = self._collection.seen
        await self._archive.report(about.trial, batch, Reporter(source, seen=seen, done=done))
        self._sequence += len(samples)
        del self._waiting[: len(samples)]


def _source(pod: str, starts: int) -> str:
    """Name a pod's log by its uid: as one of 4096, for the store keeps each name.

    The pods of one trial that are read at once are few enough to have one each.
    """
    return f"log/{zlib.crc32(pod.encode()) % 4096:03x}/{starts}"


def _starts(pod: Document, brief: Brief) -> int:
    """Return how often the container was started whose metrics count; 0 where none is or was."""
    if not is_primary(pod, brief.primary_labels):
        return 0
    status = _status(pod, brief)
    begun = {"running", "terminated"} & (status.get("state") or {}).keys()
    return 1 + int(status.get("restartCount", 0)) if begun else 0


def _runs(pod: Document, brief: Brief) -> bool:
    return "running" in (_status(pod, brief).get("state") or {})


def _status(pod: Document, brief: Brief) -> Document:
    """Return what a pod tells of the container whose metrics count; nothing where it does not."""
    told = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in told if each.get("name") == brief.primary_container), {})
