"""How the metrics of one trial are collected: what an engine feeds, runs and finishes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias

from ..api.observation import Batch, PlainSample
from .sources import Piece, source_of
from .spec import CollectorSpec

OnSamples: TypeAlias = Callable[[list[PlainSample]], Awaitable[None]]


class Collection:
    """Collects the metrics of one attempt.

    The engine feeds what the primary container writes, keeps `run` going as a
    task while the attempt runs, and calls `finish` when its processes have
    ended; `batch` numbers what comes out, in the order in which it came.
    """

    def __init__(
        self,
        spec: CollectorSpec,
        metrics: Sequence[str],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare it.

        Raises:
            Invalid: a filter cannot be used; the fault names it.
            MissingExtra: a filter is given, and RE2 is not installed.
        """
        self._spec = spec
        self._sleep = sleep
        self._next = 0
        self._source = source_of(spec, tuple(metrics), clock)

    @property
    def follows(self) -> bool:
        """Whether there is something for `run` to follow or scrape."""
        return self._source.interval is not None

    @property
    def source(self) -> str:
        """The name under which the store knows this reporter."""
        return self._spec.kind.value

    def feed(self, stream: str, data: bytes, at: float) -> list[PlainSample]:
        """Take bytes that the trial wrote to `stream` (stdout, stderr), in order."""
        return self._source.feed(stream, data, at)

    async def run(self, on_samples: OnSamples) -> None:
        """Follow files or scrape until cancelled; return at once unless it `follows`.

        Cancel it while it sleeps or waits; samples that `on_samples` had taken are its own.
        """
        async for _, samples in self.pieces():
            await on_samples(samples)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Follow as `run` does, and tell of which file samples are."""
        while self._source.interval is not None:
            for piece in self._source.look():
                if piece[1]:
                    yield piece
            asked = await self._source.ask()
            if asked:
                yield "", asked
            await self._sleep(self._source.interval)

    async def finish(self, at: float) -> list[PlainSample]:
        """Read what is left after the processes ended; `run` must have been cancelled."""
        return [sample for _, samples in self.last_pieces(at) for sample in samples]

    def last_pieces(self, at: float) -> Iterator[Piece]:
        """Read as `finish` does, and tell of which file samples are."""
        yield from self._source.look()
        yield self._source.file, self._source.finish(at)

    def batch(
        self, samples: Sequence[PlainSample], *, experiment_uid: str, index: int, attempt: int
    ) -> Batch:
        """Number samples that came out of this collection, each once, in order."""
        first = self._next
        self._next += len(samples)
        return Batch(experiment_uid, index, attempt, self.source, first, tuple(samples))

    @property
    def seen(self) -> tuple[str, ...]:
        """Names that were seen with a number, for a trial whose metrics were not found."""
        return self._source.seen

    @property
    def headers(self) -> dict[str, bytes]:
        """The lines of names below which tables may go on, by stream."""
        return self._source.headers
