"""What each kind of collector reads, behind one face."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from ..api.observation import PlainSample
from .follow import FileFollower, FolderFollower
from .near_misses import MOST_NAMES, NearMisses
from .parsers.filters import filter_reader
from .parsers.json_lines import JsonLinesParser
from .parsers.prometheus import PrometheusParser
from .parsers.text import TextParser
from .parsers.tfevent import TfEventParser
from .spec import CollectorKind, CollectorSpec, FileFormat

Clock = Callable[[], float]

Piece: TypeAlias = tuple[str, list[PlainSample]]
"""Samples, and the file that they stand in where there are several: each keeps its own order."""


class Source:
    """Reads nothing, as is right for pushed metrics. Each other kind overrides what it reads by."""

    interval: float | None = None
    """Seconds between two looks; None where there is nothing to look at."""

    file = ""
    """The file in which stands what had no end, where there are several."""

    def feed(self, stream: str, data: bytes, at: float) -> list[PlainSample]:
        """Take what the trial wrote to a stream."""
        del stream, data, at
        return []

    def look(self) -> Iterator[Piece]:
        """Return what came since the last look, piece by piece."""
        return iter(())

    async def ask(self) -> list[PlainSample]:
        """Ask the trial itself."""
        return []

    def finish(self, at: float) -> list[PlainSample]:
        """Read what had no end when the processes ended."""
        del at
        return []

    @property
    def seen(self) -> tuple[str, ...]:
        return ()

    @property
    def headers(self) -> dict[str, bytes]:
        """Return the headers of tables that may go on, by stream."""
        return {}


class _Parser(Protocol):
    def feed(self, data: bytes, at: float) -> list[PlainSample]: ...
    def finish(self, at: float) -> list[PlainSample]: ...


class Streams(Source):
    """Standard output and standard error."""

    def __init__(self, make: Callable[[], TextParser]) -> None:
        self._make = make
        self._parsers: dict[str, TextParser] = {}
        self._near = NearMisses()

    def feed(self, stream: str, data: bytes, at: float) -> list[PlainSample]:
        parser = self._parsers.get(stream)
        if parser is None:
            parser = self._parsers[stream] = self._make()
        self._near.feed(data)
        return parser.feed(data, at)

    def finish(self, at: float) -> list[PlainSample]:
        return [sample for parser in self._parsers.values() for sample in parser.finish(at)]

    @property
    def seen(self) -> tuple[str, ...]:
        return self._near.names

    @property
    def headers(self) -> dict[str, bytes]:
        found = {stream: parser.header for stream, parser in self._parsers.items()}
        return {stream: header for stream, header in found.items() if header}


class LogFile(Source):
    """A file of lines that the trial writes."""

    interval = 0.2

    def __init__(self, path: Path, parser: _Parser, clock: Clock) -> None:
        self._follower = FileFollower(path)
        self._parser = parser
        self._clock = clock
        self._near = NearMisses()

    def look(self) -> Iterator[Piece]:
        for data in self._follower.poll():
            self._near.feed(data)
            self.file = self._follower.file
            yield self.file, self._parser.feed(data, self._clock())

    def finish(self, at: float) -> list[PlainSample]:
        self._follower.close()
        return self._parser.finish(at)

    @property
    def seen(self) -> tuple[str, ...]:
        return self._near.names


class EventFiles(Source):
    """A folder of TensorBoard's event files."""

    interval = 0.2

    def __init__(self, folder: Path, metrics: Sequence[str]) -> None:
        self._follower = FolderFollower(folder)
        self._metrics = metrics
        self._parsers: dict[str, TfEventParser] = {}

    def look(self) -> Iterator[Piece]:
        for path, offset, data in self._follower.poll():
            if offset == 0:
                self._parsers[path] = TfEventParser(self._metrics, path)
            samples = self._parsers[path].feed(data)
            yield f"{path}-{self._parsers[path].first or 0:x}", samples

    @property
    def seen(self) -> tuple[str, ...]:
        names = dict.fromkeys(tag for parser in self._parsers.values() for tag in parser.tags)
        return tuple(names)[:MOST_NAMES]


class Scrape(Source):
    """A page in Prometheus' format that the trial serves."""

    interval = 1.0

    def __init__(self, spec: CollectorSpec, metrics: Sequence[str], clock: Clock) -> None:
        # Imported here: a trial whose metrics are printed should not wait for it.
        from .scrape import fetch

        self._fetch = fetch
        self._url = f"{spec.scheme}://{spec.host}:{spec.port}{spec.path}"
        self._headers = dict(spec.headers)
        self._parser = PrometheusParser(metrics)
        self._clock = clock

    async def ask(self) -> list[PlainSample]:
        page = await asyncio.to_thread(self._fetch, self._url, self._headers)
        return [] if page is None else self._parser.scrape(page, self._clock())

    @property
    def seen(self) -> tuple[str, ...]:
        return tuple(self._parser.names)[:MOST_NAMES]


def source_of(spec: CollectorSpec, metrics: Sequence[str], clock: Clock) -> Source:
    """Return what reads the metrics of this collector.

    Raises:
        Invalid: a filter cannot be used; the fault names it.
        MissingExtra: a filter is given, and RE2 is not installed.
    """
    reader = filter_reader(metrics, spec.filters) if spec.filters else None

    def text() -> TextParser:
        return TextParser(metrics, reader)

    match spec.kind:
        case CollectorKind.STDOUT:
            return Streams(text)
        case CollectorKind.FILE if spec.format is FileFormat.JSON:
            return LogFile(Path(spec.path), JsonLinesParser(metrics), clock)
        case CollectorKind.FILE:
            return LogFile(Path(spec.path), text(), clock)
        case CollectorKind.TFEVENT:
            return EventFiles(Path(spec.path), metrics)
        case CollectorKind.PROMETHEUS:
            return Scrape(spec, metrics, clock)
        case _:
            return Source()
