"""`spec.metricsCollectorSpec`: where a trial's metrics are read."""

from enum import StrEnum

from .model import Count, Model, Object, Several, Text, Texts


class CollectorKind(StrEnum):
    STDOUT = "StdOut"
    FILE = "File"
    TENSORFLOW_EVENT = "TensorFlowEvent"
    PROMETHEUS = "PrometheusMetric"
    CUSTOM = "Custom"
    PUSH = "Push"


class CollectorSpec(Model):
    """`custom_collector` is a container, of kind Custom only."""

    kind: str | None = None
    custom_collector: Object | None = None


class FileSystemPath(Model):
    path: str | None = None
    kind: str | None = None
    format: str | None = None


class HttpHeader(Model):
    name: str = ""
    value: Text = ""


class HttpGet(Model):
    """Kubernetes' HTTPGetAction."""

    path: str | None = None
    port: Count | str | None = None
    host: str | None = None
    scheme: str | None = None
    http_headers: Several[HttpHeader] = ()


class FilterSpec(Model):
    """Patterns whose first group is a metric's name and whose second is its value."""

    metrics_format: Texts = ()


class SourceSpec(Model):
    file_system_path: FileSystemPath | None = None
    http_get: HttpGet | None = None
    filter: FilterSpec | None = None


class MetricsCollectorSpec(Model):
    collector: CollectorSpec | None = None
    source: SourceSpec | None = None
