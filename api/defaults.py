"""Katib's defaults and ours.

Constants are written into the document, since clients read them (`write`);
what follows from kind, objective or parameters is computed on the way to the
core (`complete`), and never kept. An absent resumePolicy stays absent: only one
that stands in the file refuses a restart.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from .algorithm_spec import AlgorithmSpec
from .collector_spec import (
    CollectorKind,
    CollectorSpec,
    FileSystemPath,
    HttpGet,
    MetricsCollectorSpec,
    SourceSpec,
)
from .experiment import Experiment, ExperimentSpec
from .model import Model
from .objective_spec import MetricStrategy, ObjectiveSpec
from .parameter_spec import ParameterSpec
from .problem import ALGORITHM, PARALLEL_TRIALS
from .template_spec import TrialParameterSpec, TrialTemplate
from .workload_kinds import KINDS, only_container

LEASE_SECONDS = 3600.0
METRICS_FILE = "/var/log/katib/metrics.log"
EVENTS_DIRECTORY = "/var/log/katib/tfevent/"

_M = TypeVar("_M", bound=Model)


def _with(model: _M, **changes: Any) -> _M:
    """Return a copy with these fields set; fields that are not changed stay as unset as before."""
    return model.model_copy(update=changes)


def write(experiment: Experiment) -> Experiment:
    """Return the experiment with the constant defaults written into it."""
    spec = experiment.spec
    changes: dict[str, Any] = {}
    if spec.parallel_trial_count is None:
        fits = spec.max_trial_count is not None and 0 < spec.max_trial_count < PARALLEL_TRIALS
        changes["parallel_trial_count"] = spec.max_trial_count if fits else PARALLEL_TRIALS
    if spec.algorithm is None:
        changes["algorithm"] = AlgorithmSpec(algorithm_name=ALGORITHM)
    collector = spec.metrics_collector_spec
    if collector is None or collector.collector is None or not collector.collector.kind:
        stdout = CollectorSpec(kind=CollectorKind.STDOUT.value)
        changes["metrics_collector_spec"] = _with(
            collector or MetricsCollectorSpec(),
            collector=_with(collector.collector, kind=stdout.kind)
            if collector and collector.collector
            else stdout,
        )
    if any(p.feasible_space and not p.feasible_space.distribution for p in spec.parameters):
        changes["parameters"] = tuple(map(_uniform, spec.parameters))
    head = {"api_version": experiment.api_version, "kind": experiment.kind}
    return _with(experiment, **head, spec=_with(spec, **changes))


def _uniform(parameter: ParameterSpec) -> ParameterSpec:
    space = parameter.feasible_space
    if space is None or space.distribution:
        return parameter
    return _with(parameter, feasible_space=_with(space, distribution="uniform"))


def complete(experiment: Experiment) -> Experiment:
    """Return the experiment with every default in place, for the core."""
    written = write(experiment)
    spec = written.spec
    changes: dict[str, Any] = {
        "metrics_collector_spec": _collector(spec.metrics_collector_spec),
    }
    if spec.objective is not None:
        changes["objective"] = _strategies(spec.objective)
    if spec.trial_template is not None:
        changes["trial_template"] = _template(spec.trial_template, spec)
    return _with(written, spec=_with(spec, **changes))


def _strategies(objective: ObjectiveSpec) -> ObjectiveSpec:
    best = {"minimize": "min", "maximize": "max"}.get(objective.type, "latest")
    known = {strategy.name for strategy in objective.metric_strategies}
    names = dict.fromkeys((objective.objective_metric_name, *objective.additional_metric_names))
    missing = tuple(MetricStrategy(name=n, value=best) for n in names if n and n not in known)
    return _with(objective, metric_strategies=(*objective.metric_strategies, *missing))


def _template(template: TrialTemplate, spec: ExperimentSpec) -> TrialTemplate:
    changes: dict[str, Any] = {}
    if template.trial_parameters is None:
        changes["trial_parameters"] = tuple(
            TrialParameterSpec(name=name, reference=name)
            for name in dict.fromkeys(p.name for p in spec.parameters)
            if name
        )
    manifest: Mapping[str, Any] = template.trial_spec or {}
    kind = KINDS.get(str(manifest.get("kind")))
    if kind is not None:
        if not template.success_condition:
            changes["success_condition"] = kind.success
        if not template.failure_condition:
            changes["failure_condition"] = kind.failure
        if not template.primary_pod_labels and kind.primary_labels:
            changes["primary_pod_labels"] = dict(kind.primary_labels)
    if not template.primary_container_name and template.trial_spec is not None:
        changes["primary_container_name"] = only_container(manifest)
    return _with(template, **changes)


def _collector(spec: MetricsCollectorSpec | None) -> MetricsCollectorSpec | None:
    if spec is None or spec.collector is None:
        return spec
    source = spec.source or SourceSpec()
    match spec.collector.kind:
        case CollectorKind.FILE:
            filled = _with(source, file_system_path=_file(source.file_system_path))
        case CollectorKind.TENSORFLOW_EVENT:
            path = source.file_system_path or FileSystemPath()
            path = _with(path, kind=path.kind or "Directory", path=path.path or EVENTS_DIRECTORY)
            filled = _with(source, file_system_path=path)
        case CollectorKind.PROMETHEUS:
            get = source.http_get or HttpGet()
            port = 8080 if get.port in {None, ""} else get.port
            filled = _with(source, http_get=_with(get, path=get.path or "/metrics", port=port))
        case _:
            return spec
    return _with(spec, source=filled)


def _file(path: FileSystemPath | None) -> FileSystemPath:
    path = path or FileSystemPath()
    return _with(
        path,
        kind=path.kind or "File",
        path=path.path or METRICS_FILE,
        format=path.format or "TEXT",
    )
