"""What of a pod and a Job holds on one machine: the table behind `validate` and docs/laptop.md."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from .cgroups import CPU, MEMORY, REMEDY

ALL_LIMITS = frozenset({MEMORY, CPU})


class Treatment(StrEnum):
    HONOURED = "honoured"
    IGNORED = "ignored, with a warning"
    SILENT = "no effect here"
    REFUSED = "refused"


class Field(NamedTuple):
    """One field: below `job` (spec of the kind), `pod` (its spec) or `container`."""

    level: str
    name: str
    treatment: Treatment
    note: str


_H, _I, _S, _R = Treatment.HONOURED, Treatment.IGNORED, Treatment.SILENT, Treatment.REFUSED

FIELDS: Sequence[Field] = (
    Field("job", "backoffLimit", _H, "restarts of a failed pod; 0 if absent"),
    Field("job", "activeDeadlineSeconds", _H, "the attempt fails when it has passed"),
    Field("job", "parallelism", _R, "if above 1; use a PyTorchJob or a TrainJob"),
    Field("job", "completions", _R, "if above 1"),
    Field("job", "ttlSecondsAfterFinished", _S, "`tunewright prune` removes directories"),
    Field("job", "podFailurePolicy", _I, "every non-zero exit is a failure"),
    Field("job", "suspend", _I, "pause the experiment instead"),
    Field("pod", "containers", _H, "the primary one decides; the others run beside it"),
    Field("pod", "initContainers", _H, "run in order; restartPolicy Always makes a sidecar"),
    Field("pod", "volumes", _H, "emptyDir, ConfigMap, Secret; others need --mount NAME=DIR"),
    Field("pod", "restartPolicy", _S, "only backoffLimit restarts an attempt"),
    Field("pod", "terminationGracePeriodSeconds", _H, "time from SIGTERM to SIGKILL; 30 if absent"),
    Field("pod", "nodeSelector", _S, "there is one machine"),
    Field("pod", "affinity", _S, "there is one machine"),
    Field("pod", "tolerations", _S, "there is one machine"),
    Field("pod", "topologySpreadConstraints", _S, "there is one machine"),
    Field("pod", "serviceAccountName", _S, "there is no API server"),
    Field("pod", "imagePullSecrets", _S, "docker and podman use their own logins"),
    Field("pod", "schedulerName", _S, "there is no scheduler"),
    Field("pod", "priorityClassName", _S, "there is no scheduler"),
    Field("pod", "runtimeClassName", _I, "choose with --runtime"),
    Field("pod", "hostNetwork", _S, "trials use the network of the machine"),
    Field("pod", "securityContext", _I, "trials run as whoever typed `run`"),
    Field("container", "name", _H, ""),
    Field("container", "image", _I, "used with --runtime docker or podman only"),
    Field("container", "command", _H, "exactly as given; needed unless --runtime uses an image"),
    Field("container", "args", _H, "exactly as given"),
    Field("container", "env", _H, "valueFrom: fields, resources, given Secrets and ConfigMaps"),
    Field("container", "envFrom", _H, "Secrets and ConfigMaps given on the command line"),
    Field("container", "workingDir", _H, "must exist; where `run` was typed if absent"),
    Field("container", "resources", _H, "limits; for memory and CPU as said above"),
    Field("container", "volumeMounts", _H, "a directory per trial; `readOnly` is not enforced"),
    Field("container", "restartPolicy", _H, "Always makes an init container a sidecar"),
    Field("container", "imagePullPolicy", _S, "docker and podman use their own rules"),
    Field("container", "ports", _S, "a process may listen on any port"),
    Field("container", "livenessProbe", _I, "set a deadline to end a hung trial"),
    Field("container", "readinessProbe", _S, "nothing routes to a trial"),
    Field("container", "startupProbe", _S, "nothing routes to a trial"),
    Field("container", "lifecycle", _I, "hooks do not run"),
    Field("container", "securityContext", _I, "trials run as whoever typed `run`"),
    Field("container", "stdin", _S, "standard input is empty"),
    Field("container", "tty", _S, "output goes to a pipe"),
)

_BY_NAME = {(field.level, field.name): field for field in FIELDS}


_NOT_HELD = {
    MEMORY: "is only watched: a trial that exceeds it is ended a moment later",
    CPU: "is not enforced: a trial may use every CPU",
}
"""What is said of a limit that no control group of this machine holds."""


def remarks(
    level: str, document: Mapping[str, Any], path: str, *, containers: bool = False
) -> Iterator[str]:
    """Yield what of one object is not done here. `containers`: the images are used."""
    for name in document:
        field = _BY_NAME.get((level, str(name)))
        if field is None:
            yield f"{path}.{name} is not known here, and is ignored"
        elif field.treatment is _I and not (containers and name == "image"):
            yield f"{path}.{name} is ignored: {field.note}"


def remarks_of_limits(
    document: Mapping[str, Any], path: str, held: Collection[str]
) -> Iterator[str]:
    """Yield which of a container's limits the operating system does not hold."""
    limits = (document.get("resources") or {}).get("limits") or {}
    for name, said in _NOT_HELD.items():
        if name in limits and name not in held:
            yield f"{path}.resources.limits.{name} {said}; {REMEDY}"


def remarks_of_pod(
    template: Mapping[str, Any],
    path: str,
    *,
    containers: bool = False,
    held: Collection[str] = ALL_LIMITS,
) -> Iterator[str]:
    """Yield what of a pod template is not done here; `held` are the limits that are."""
    spec = template.get("spec") or {}
    yield from remarks("pod", spec, f"{path}.spec", containers=containers)
    for kind in ("initContainers", "containers"):
        for index, document in enumerate(spec.get(kind) or ()):
            where = f"{path}.spec.{kind}[{index}]"
            yield from remarks("container", document, where, containers=containers)
            yield from remarks_of_limits(document, where, held)


def remarks_of(
    manifest: Mapping[str, Any], *, containers: bool = False, held: Collection[str] = ALL_LIMITS
) -> Iterator[str]:
    """Yield what of a rendered trial is not done on this machine."""
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "Job":
        own = {name: value for name, value in spec.items() if name != "template"}
        yield from remarks("job", own, "spec")
        template = spec.get("template") or {}
        yield from remarks_of_pod(template, "spec.template", containers=containers, held=held)
    for name, replicas in spec.items():
        if not name.endswith("ReplicaSpecs"):
            continue
        for role, replica in (replicas or {}).items():
            path = f"spec.{name}.{role}.template"
            template = (replica or {}).get("template") or {}
            yield from remarks_of_pod(template, path, containers=containers, held=held)


def page() -> str:
    """Return the table of docs/laptop.md."""
    titles = {"job": "Of the job", "pod": "Of a pod", "container": "Of a container"}
    lines = []
    for level, title in titles.items():
        lines += [f"### {title}", "", "| field | here | |", "|---|---|---|"]
        lines += [
            f"| `{field.name}` | {field.treatment} | {field.note} |"
            for field in FIELDS
            if field.level == level
        ]
        lines.append("")
    return "\n".join(lines)
