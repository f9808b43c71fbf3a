"""How the metrics of one trial are collected: what an engine feeds, runs and finishes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ..api.observation import Batch, Sample
from .parsers.text import TextParser


class CollectorKind(StrEnum):
    STDOUT = "StdOut"
    FILE = "File"
    TFEVENT = "TensorFlowEvent"
    PROMETHEUS = "PrometheusMetric"
    PUSH = "Push"
    CUSTOM = "Custom"
    NONE = "None"


class FileFormat(StrEnum):
    TEXT = "TEXT"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class CollectorSpec:
    """Where a trial's metrics are. `path` is as this process sees it."""

    kind: CollectorKind = CollectorKind.STDOUT
    path: str = ""
    format: FileFormat = FileFormat.TEXT
    filters: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    scheme: str = "http"


DEFAULT_PATHS = {
    CollectorKind.FILE: "/var/log/katib/metrics.log",
    CollectorKind.TFEVENT: "/var/log/katib/tfevent/",
    CollectorKind.PROMETHEUS: "/metrics",
}
DEFAULT_PORT = 8080

OnSamples: TypeAlias = Callable[[list[Sample]], Awaitable[None]]


def collector_spec(document: Mapping[str, Any] | None) -> CollectorSpec:
    """Read a validated `metricsCollectorSpec`, with Katib's defaults for what is absent."""
    document = document or {}
    collector = document.get("collector") or {}
    source = document.get("source") or {}
    kind = CollectorKind(collector.get("kind") or CollectorKind.STDOUT)
    file = source.get("fileSystemPath") or {}
    http = source.get("httpGet") or {}
    scraped = kind is CollectorKind.PROMETHEUS
    path = http.get("path") if scraped else file.get("path")
    return CollectorSpec(
        kind=kind,
        path=path or DEFAULT_PATHS.get(kind, ""),
        format=FileFormat(file.get("format") or FileFormat.TEXT),
        filters=tuple((source.get("filter") or {}).get("metricsFormat") or ()),
        host=http.get("host") or "127.0.0.1",
        port=int(http.get("port") or DEFAULT_PORT) if scraped else 0,
        scheme=(http.get("scheme") or "http").lower(),
    )


class Collection:
    """Collects the metrics of one attempt.

    The engine feeds what the primary container writes, keeps `run` going as a
    task while the attempt runs, and calls `finish` when its processes have
    ended; `batch` numbers what comes out, in the order in which it came.
    """

    def __init__(self, spec: CollectorSpec, metrics: Sequence[str]) -> None:
        """Prepare it.

        Raises:
            Invalid: a filter cannot be used; the fault names it.
        """
        self._spec = spec
        self._parsers: dict[str, TextParser] = {}
        self._metrics = tuple(metrics)
        self._next = 0

    @property
    def source(self) -> str:
        """The name under which the store knows this reporter."""
        return self._spec.kind.value

    def feed(self, stream: str, data: bytes, at: float) -> list[Sample]:
        """Take bytes that the trial wrote to `stream` (stdout, stderr), in order."""
        if self._spec.kind is not CollectorKind.STDOUT:
            return []
        parser = self._parsers.get(stream)
        if parser is None:
            parser = self._parsers[stream] = TextParser(self._metrics)
        return parser.feed(data, at)

    async def run(self, on_samples: OnSamples) -> None:
        """Follow files or scrape until cancelled; return at once where there is nothing to."""

    async def finish(self, at: float) -> list[Sample]:
        """Read what is left after the processes ended; `run` must have been cancelled."""
        return [sample for parser in self._parsers.values() for sample in parser.finish(at)]

    def batch(
        self, samples: Sequence[Sample], *, experiment_uid: str, index: int, attempt: int
    ) -> Batch:
        """Number samples that came out of this collection, each once, in order."""
        first = self._next
        self._next += len(samples)
        return Batch(experiment_uid, index, attempt, self.source, first, tuple(samples))

    @property
    def seen(self) -> tuple[str, ...]:
        """Names that were seen with a number, for a trial whose metrics were not found."""
        return ()
