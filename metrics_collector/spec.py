"""Where a trial's metrics are: Katib's `metricsCollectorSpec` as one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


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
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def own_directory(self) -> Path | None:
        """The directory that no two trials may share; None where metrics are in no file."""
        if self.kind is CollectorKind.TFEVENT:
            return Path(self.path)
        return Path(self.path).parent if self.kind is CollectorKind.FILE else None


DEFAULT_PATHS = {
    CollectorKind.FILE: "/var/log/katib/metrics.log",
    CollectorKind.TFEVENT: "/var/log/katib/tfevent/",
    CollectorKind.PROMETHEUS: "/metrics",
}
DEFAULT_PORT = 8080


def collector_spec(document: Mapping[str, Any] | None) -> CollectorSpec:
    """Read a validated `metricsCollectorSpec`, with Katib's defaults for what is absent."""
    document = document or {}
    collector = document.get("collector") or {}
    source = document.get("source") or {}
    kind = CollectorKind(collector.get("kind") or CollectorKind.STDOUT)
    file = source.get("fileSystemPath") or {}
    http = source.get("httpGet") or {}
    is_file = kind is CollectorKind.FILE
    scraped = kind is CollectorKind.PROMETHEUS
    path = http.get("path") if scraped else file.get("path")
    return CollectorSpec(
        kind=kind,
        path=path or DEFAULT_PATHS.get(kind, ""),
        format=FileFormat((is_file and file.get("format")) or FileFormat.TEXT),
        filters=tuple((source.get("filter") or {}).get("metricsFormat") or ()),
        host=http.get("host") or "127.0.0.1",
        port=int(http.get("port") or DEFAULT_PORT) if scraped else 0,
        scheme=(http.get("scheme") or "http").lower(),
        headers=tuple(
            (header["name"], header.get("value") or "")
            for header in (http.get("httpHeaders") or () if scraped else ())
        ),
    )
