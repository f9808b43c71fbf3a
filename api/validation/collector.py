"""Where metrics are read."""

import re
import warnings

from ..collector_spec import CollectorKind, MetricsCollectorSpec, SourceSpec
from .report import REQUIRED, Report

PATH = "spec.metricsCollectorSpec"
SOURCE = f"{PATH}.source"
FILE_PATH = f"{SOURCE}.fileSystemPath"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BACKTRACKING = re.compile(r"\(\?<?[=!]|\\[1-9]")


def check_collector(spec: MetricsCollectorSpec | None, report: Report) -> None:
    """Check the collector; `spec` has its defaults in place."""
    if spec is None or spec.collector is None:
        return
    kind, source = spec.collector.kind or "", spec.source or SourceSpec()
    known = [str(k) for k in CollectorKind]
    message = f"invalid metrics collector kind: {kind}"
    if not report.one_of(f"{PATH}.collector.kind", kind, known, message):
        return
    match CollectorKind(kind):
        case CollectorKind.FILE:
            _check_file(source, report)
        case CollectorKind.TENSORFLOW_EVENT:
            _check_events(source, report)
        case CollectorKind.PROMETHEUS:
            _check_http(kind, source, report)
        case CollectorKind.CUSTOM:
            _check_custom(spec, source, report)
        case _:
            pass
    if spec.collector.custom_collector is not None and kind != CollectorKind.CUSTOM:
        report.add(f"{PATH}.collector.customCollector", f"is not read by kind {kind}", "remove it")
    for i, pattern in enumerate(source.filter.metrics_format if source.filter else ()):
        _check_pattern(pattern, f"{SOURCE}.filter.metricsFormat[{i}]", report)


def _check_file(source: SourceSpec, report: Report) -> None:
    path = source.file_system_path
    if path is None or path.kind != "File" or not (path.path or "").startswith("/"):
        report.add(
            f"{FILE_PATH}.path",
            "file path where metrics file exists is required",
            "an absolute path, of kind File",
            kind=REQUIRED,
        )
    if path is None or path.format not in {"TEXT", "JSON"}:
        report.add(
            f"{FILE_PATH}.format",
            "format of metrics file is required for metrics collector",
            "TEXT or JSON",
            kind=REQUIRED,
        )
    elif path.format == "JSON" and source.filter is not None:
        report.add(f"{SOURCE}.filter", "filter must be nil when format of metrics file is json")


def _check_events(source: SourceSpec, report: Report) -> None:
    path = source.file_system_path
    if path is None or path.kind != "Directory" or not (path.path or "").startswith("/"):
        report.add(
            SOURCE,
            "directory path where tensorflow event files exist is required by"
            " .spec.metricsCollectorSpec.source.fileSystemPath.path",
            "an absolute path, of kind Directory",
            kind=REQUIRED,
        )
    if path is not None and path.format:
        report.add(f"{FILE_PATH}.format", "must be empty")


def _check_http(kind: str, source: SourceSpec, report: Report) -> None:
    get = source.http_get
    port, path = (get.port, get.path) if get else (None, None)
    if not str(port).isdecimal() or not 0 < int(str(port)) < 65536:
        report.add(
            f"{SOURCE}.httpGet.port",
            f"must be a positive integer value for metrics collector kind: {kind}",
            "1 to 65535",
        )
    if not (path or "").startswith("/"):
        report.add(
            f"{SOURCE}.httpGet.path",
            f"path is invalid for metrics collector kind: {kind}",
            "it starts with /",
        )

    if get is None:
        return
    scheme = (get.scheme or "HTTP").upper()
    report.one_of(f"{SOURCE}.httpGet.scheme", scheme, ["HTTP", "HTTPS"])
    for i, header in enumerate(get.http_headers):
        where = f"{SOURCE}.httpGet.httpHeaders[{i}]"
        if not _HEADER.fullmatch(header.name):
            report.add(f"{where}.name", f"{header.name!r} is not the name of an HTTP header")
        if not header.value.isprintable():
            report.add(f"{where}.value", "must be printable, on one line")


def _check_custom(spec: MetricsCollectorSpec, source: SourceSpec, report: Report) -> None:
    if spec.collector is None or not spec.collector.custom_collector:
        report.add(
            f"{PATH}.collector.customCollector",
            "metrics collector kind: Custom is required",
            "write its container",
            kind=REQUIRED,
        )
    path = source.file_system_path
    if path is not None and (
        path.kind not in {"File", "Directory"} or not (path.path or "").startswith("/")
    ):
        report.add(
            FILE_PATH,
            ".spec.metricsCollectorSpec.source is invalid",
            "an absolute path, of kind File or Directory",
        )


def _check_pattern(pattern: str, path: str, report: Report) -> None:
    try:
        groups = _groups(pattern)
    except ValueError as error:
        report.add(path, f"invalid filter: {error}", "a pattern in RE2's syntax")
        return
    if groups < 2:
        report.add(
            path,
            "two top subexpressions are required",
            "the first group is the metric's name, the second its value",
        )


def _groups(pattern: str) -> int:
    """Count what a pattern captures. Without re2, Python's engine stands in for it.

    Raises:
        ValueError: RE2 does not read the pattern.
    """
    try:
        import re2
    except ImportError:
        return _groups_of_stand_in(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options=options).groups)
    except re2.error as error:
        text = error.args[0] if error.args else error
        raise ValueError(
            text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        ) from error


def _groups_of_stand_in(pattern: str) -> int:
    if _BACKTRACKING.search(pattern):
        raise ValueError("looking around and back references are not supported")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern).groups
    except re.error as error:
        raise ValueError(str(error)) from error
