"""The collector beside a trial's main container: from what it writes to the metrics service.

It may be ended at any moment and started anew: what the service has kept is
noted beside the spool, what it has not is still in the spool, and a batch that
is sent twice changes nothing.
"""

import asyncio
import contextlib
import json
import os
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..api.observation import PlainSample
from ..proto import tunewright_pb2 as pb
from .collection import Collection
from .spec import CollectorKind, CollectorSpec
from .spool import Line, Spool
from .uplink import Uplink, sample_to_wire

LOOK = 0.2
"""Seconds between two looks at a spool that holds nothing new."""

AFTER_WORD = 1.0
"""Seconds that the end of the command is waited for, once this program was told to end.

A pod tells its sidecars when its containers have ended: only one that was killed, or that no
launcher stands before, has not said so by then.
"""

MOST_WAITING = 20_000
"""Samples that wait to be sent, before files are read on: they are read anew after each start."""

MOST_SENT = 5_000
"""Samples of one request. It is kept in a transaction and answered within seconds; of the longest
texts in place of numbers, more would be larger than a request may be."""

MOST_FILES = 64
"""Files that report under a name of their own. The rest share one: the store keeps each name that
it was ever told."""

_NOTE = "position"


@dataclass(frozen=True, slots=True)
class Reported:
    """The trial that is reported for, and the pod that reports: an attempt may have several."""

    namespace: str
    trial: str
    attempt: int
    pod: str = ""


@dataclass(slots=True)
class Position:
    """How much the service has kept: up to which record, and what the next sequences are.

    `segment` and `offset` are those of the spool. `sequences` are the next of each source,
    `bases` those that it began with, once the service was asked. `files` have metrics in them,
    in the order in which they were found. `headers` are, by stream, the last line that may be
    the head of a table: rows below it may come after a restart.
    """

    segment: int = 0
    offset: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Position":
        """Read what `write` left.

        A note that a power cut has torn is none: what the spool still holds is sent once more,
        behind what the service has.
        """
        try:
            return cls(**json.loads((folder / _NOTE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def write(self, folder: Path) -> None:
        fields = {name: getattr(self, name) for name in self.__slots__}
        half = folder / f".{_NOTE}"
        half.write_text(json.dumps(fields), encoding="utf-8")
        half.replace(folder / _NOTE)


class Sidecar:
    """Collects for one trial until its command has ended. `show` gets every line that is read.

    One that `stays` goes on until it is told to end: its pod would start it again, and may
    start the command again.
    """

    def __init__(
        self,
        folder: Path,
        reported: Reported,
        spec: CollectorSpec,
        metrics: tuple[str, ...],
        uplink: Uplink,
        *,
        clock: Callable[[], float],
        show: Callable[[bytes], None],
        stays: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._reported = reported
        self._source = reporter(spec.kind, reported.pod)
        self._reads_streams = spec.kind is CollectorKind.STDOUT
        self._collection = Collection(spec, metrics, clock=clock, sleep=sleep)
        self._uplink = uplink
        self._clock = clock
        self._show = show
        self._stays = stays
        self._sleep = sleep
        self._position = Position.read(folder)
        self._spool = Spool(folder, self._position.segment, self._position.offset)
        self._waiting: dict[str, list[PlainSample]] = {}  # by file
        self._told = asyncio.Event()
        self._told_at: float | None = None
        self._go_on(spec.kind)

    def _go_on(self, kind: CollectorKind) -> None:
        """Take up what a run of this program before this one has left."""
        if kind is CollectorKind.PROMETHEUS:
            self._position.bases = {}  # what was scraped is not scraped again
        elif not self._reads_streams:
            # Files are read from their beginning again.
            self._position.sequences = dict(self._position.bases)
        for stream, header in self._position.headers.items():
            self._collection.feed(stream, os.fsencode(header) + b"\n", 0.0)

    def end(self) -> None:
        """Be told to end: the command has, or will at once."""
        if self._told_at is None:
            self._told_at = self._clock()
            self._told.set()

    async def run(self) -> int | None:
        """Collect to the end; return the command's exit code, None when nobody knows it.

        Raises:
            NotFound, Forbidden, Unsupported: the service takes nothing of this trial.
        """
        following = asyncio.create_task(self._follow())
        try:
            while not self._is_over(lines := self._spool.read()):
                for line in lines:
                    self._read(line)
                await self._send()
                if not lines:
                    self._uplink.rest()
                    await self._rest()
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        for file, rest in self._collection.last_pieces(self._clock()):
            self._take(file, rest)
            await self._send()
        await self._uplink.send(self._request(self._source, [], self._last_words()))
        return self._spool.exit_code

    async def _rest(self) -> None:
        """Wait a little, or until told to end."""
        if self._told_at is not None:
            await self._sleep(LOOK)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), LOOK)

    def _is_over(self, lines: list[Line]) -> bool:
        if lines or (self._stays and self._told_at is None):
            return False
        if self._spool.exit_code is not None:
            # It was written after the last record; one may have come since we looked.
            return not self._spool.has_more
        return self._told_at is not None and self._clock() - self._told_at > AFTER_WORD

    def _read(self, line: Line) -> None:
        self._show(line.text)
        if not self._reads_streams:
            return
        self._take("", self._collection.feed(line.stream, line.text + b"\n", line.at))

    async def _follow(self) -> None:
        async for file, samples in self._collection.pieces():
            self._take(file, samples)
            while sum(map(len, self._waiting.values())) > MOST_WAITING:
                await self._sleep(LOOK)

    def _take(self, file: str, samples: list[PlainSample]) -> None:
        if samples:
            self._waiting.setdefault(file, []).extend(samples)

    async def _send(self) -> None:
        """Send what waits, and note how far the service has come."""
        waiting, self._waiting = self._waiting, {}
        for file, samples in waiting.items():
            source = self._source_of(file)
            if source not in self._position.bases:
                await self._begin(source)
            for start in range(0, len(samples), MOST_SENT):
                sent = samples[start : start + MOST_SENT]
                await self._uplink.send(self._request(source, sent))
                self._position.sequences[source] += len(sent)
        if (self._spool.segment, self._spool.offset) == (
            self._position.segment,
            self._position.offset,
        ):
            return
        self._position.segment, self._position.offset = self._spool.segment, self._spool.offset
        self._position.headers = {
            stream: os.fsdecode(header) for stream, header in self._collection.headers.items()
        }
        self._position.write(self._folder)
        self._spool.keep_from_here()

    def _source_of(self, file: str) -> str:
        """Name who reports for a file.

        Each file has a sequence of its own: they are read by turns, and by other turns
        when this program begins anew.
        """
        if not file:
            return self._source
        files = self._position.files
        if file not in files:
            files.append(file)
        place = min(files.index(file), MOST_FILES)
        return f"{self._source}/{place}" if place else self._source

    async def _begin(self, source: str) -> None:
        """Learn where to begin: an earlier pod of this attempt may have reported as the same."""
        reply = await self._uplink.send(self._request(source, [], pb.ReporterNote()))
        first = reply.last_sequence + 1
        self._position.bases[source] = self._position.sequences[source] = first
        self._position.write(self._folder)

    def _last_words(self) -> pb.ReporterNote:
        return pb.ReporterNote(
            seen=self._collection.seen,
            dropped=self._spool.dropped,
            done=self._spool.exit_code is not None,
        )

    def _request(
        self, source: str, samples: list[PlainSample], note: pb.ReporterNote | None = None
    ) -> Any:
        return pb.ReportRequest(
            namespace=self._reported.namespace,
            trial=self._reported.trial,
            attempt=self._reported.attempt,
            source=source,
            first_sequence=self._position.sequences.get(source, 0),
            samples=map(sample_to_wire, samples),
            note=note,
        )


def reporter(kind: CollectorKind, pod: str) -> str:
    """Return the name under which a pod, given by its uid, reports.

    It is one of 256, since the store keeps each name that it was ever told. Where two pods of
    an attempt have the same one, the second goes on behind the sequences of the first.
    """
    return f"{kind.value}/{zlib.crc32(pod.encode()) % 256:02x}" if pod else kind.value
