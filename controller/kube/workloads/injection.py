"""From a rendered manifest to the workload that is created: labels, variables, collector.

The primary container runs as it would without us: its command stands, word for
word, behind the launcher, and everything else that is the user's stays.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ....api.errors import Invalid
from ....metrics_collector.spec import CollectorKind, collector_spec
from .. import labels
from .checkpoints import Kept, keep, no_place
from .collector import Collector, Settings, literal
from .pods import is_primary
from .templates import PodTemplate, Reporting, pod_templates, reporting

_NOTHING = {"collector": {"kind": CollectorKind.NONE.value}}


class Way(StrEnum):
    """How a trial's metrics come to the metrics service."""

    SIDECAR = "sidecar"
    LOGS = "logs"  # the primary container's log is read through the API server
    PUSH = "push"  # the program, or a container of the user's, reports


@dataclass(frozen=True, slots=True)
class Injection:
    """One attempt, and what its pods are to get.

    `collector` is the metricsCollectorSpec, `parameters` the point as JSON,
    `environment` what the primary container is told besides. `reads_logs` asks
    for the log to be read where that is enough: no container is added then.
    `kept` is where the trial's checkpoint lies, None where it has none.
    """

    experiment: str
    trial: str
    namespace: str
    attempt: int
    container: str
    metrics: tuple[str, ...]
    parameters: str
    settings: Settings
    collector: Mapping[str, Any] = field(default_factory=dict)
    primary_labels: Mapping[str, str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    reads_logs: bool = False
    kept: Kept | None = None


def instrument(manifest: Mapping[str, Any], injection: Injection) -> tuple[dict[str, Any], Way]:
    """Return the workload as it is created, and how its metrics are read.

    Raises:
        Invalid: nothing of the workload can mount the volume of the checkpoints.
    """
    workload: dict[str, Any] = copy.deepcopy(dict(manifest))
    templates = pod_templates(workload)
    _label(workload, templates, injection)
    holders = [each for each in templates if each.container(injection.container)]
    for each in _environments(workload, holders, injection.container):
        _set_environment(each, injection)
    if injection.kept is not None:
        if not holders:
            raise Invalid([no_place(str(workload.get("kind")), injection.container)])
        for template in holders:
            keep(template, injection.container, injection.kept, injection.settings)
    return workload, _collect(str(workload.get("kind")), holders, injection)


def instrument_pod(pod: Mapping[str, Any], injection: Injection) -> dict[str, Any]:
    """Return a pod that was made elsewhere as it would have come from a template of ours."""
    if not is_primary(pod, injection.primary_labels):
        injection = replace(injection, collector=_NOTHING)
    return instrument({**pod, "kind": "Pod"}, injection)[0]


def _label(workload: dict[str, Any], templates: list[PodTemplate], injection: Injection) -> None:
    """Label whatever becomes an object or a pod, so that it is found.

    The labels are ours, so ours hold: they say which trial a pod may report for.
    """
    bearers = [workload, *(each.document for each in templates)]
    metadata = [_table(each, "metadata") for each in bearers]
    if workload.get("kind") == "Workflow":  # Argo's pods get these, and nothing of its metadata
        metadata.append(_table(_table(workload, "spec"), "podMetadata"))
    for each in metadata:
        _table(each, "labels").update(
            {
                labels.EXPERIMENT: injection.experiment,
                labels.TRIAL: injection.trial,
                labels.ATTEMPT: str(injection.attempt),
            }
        )


def _environments(
    workload: dict[str, Any], holders: list[PodTemplate], name: str
) -> list[dict[str, Any]]:
    """Return what holds the variables of the primary container."""
    found = [container for each in holders if (container := each.container(name)) is not None]
    trainer = (
        _table(workload, "spec").get("trainer") if workload.get("kind") == "TrainJob" else None
    )
    return [*found, trainer] if isinstance(trainer, dict) else found


def _set_environment(container: dict[str, Any], injection: Injection) -> None:
    """Set the variables that the user did not, before the user's, which may name them."""
    variables = {
        "KATIB_TRIAL_NAME": injection.trial,
        "TUNEWRIGHT_EXPERIMENT": injection.experiment,
        "TUNEWRIGHT_TRIAL": injection.trial,
        "TUNEWRIGHT_ATTEMPT": str(injection.attempt),
        "TUNEWRIGHT_PARAMETERS": injection.parameters,
        **injection.environment,
        **({} if injection.kept is None else injection.kept.variables),
        "PYTHONUNBUFFERED": "1",
    }
    theirs = container.get("env") or []
    taken = {each.get("name") for each in theirs}
    ours = [
        {"name": name, "value": literal(value)}
        for name, value in variables.items()
        if name not in taken
    ]
    container["env"] = [*ours, *theirs]


def _collect(kind: str, holders: list[PodTemplate], injection: Injection) -> Way:
    spec = collector_spec(injection.collector)
    if spec.kind in {CollectorKind.PUSH, CollectorKind.NONE}:
        return Way.PUSH
    if not holders:
        return Way.LOGS
    chosen = reporting(kind, holders, injection.primary_labels)
    if spec.kind is CollectorKind.STDOUT and _reads_log(chosen, injection):
        return Way.LOGS
    collector = Collector(
        injection.settings,
        spec,
        injection.collector,
        injection.metrics,
        {
            "TUNEWRIGHT_TRIAL": injection.trial,
            "TUNEWRIGHT_NAMESPACE": injection.namespace,
            "TUNEWRIGHT_ATTEMPT": str(injection.attempt),
        },
    )
    for template in chosen.templates:
        collector.join(template, injection.container)
    return Way.PUSH if spec.kind is CollectorKind.CUSTOM else Way.SIDECAR


def _reads_log(chosen: Reporting, injection: Injection) -> bool:
    """Whether standard output is read from the log: asked for, or no launcher can stand there.

    Of several pods of one template it can be open which is the primary one; and where a container
    names no command, only its image knows what the launcher would have to start.
    """
    if injection.settings.reads_logs or injection.reads_logs or not chosen.is_certain:
        return True
    primaries = (each.container(injection.container) or {} for each in chosen.templates)
    return not all(each.get("command") for each in primaries)


def _table(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the table at a key, made where there is none."""
    if not isinstance(node.get(key), dict):
        node[key] = {}
    table: dict[str, Any] = node[key]
    return table
