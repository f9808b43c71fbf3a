"""Where the pod templates of a workload are, whatever its kind, and whose pods report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....api.workload_kinds import KINDS
from ...forms import TABLE, Form, faults

_JOB_ROLE = "training.kubeflow.org/job-role"
_FIRST_ROLES = {"Master", "Chief", "Launcher"}
"""The replicas whose pods the training operator gives the role `master`."""

_CONTAINER: Form = {
    "command": [lambda _: ""],
    "env": [TABLE],
    "volumeMounts": [TABLE],
    "securityContext": TABLE,
}
_POD: Form = {
    "metadata": {"labels": TABLE, "annotations": TABLE},
    "spec": {
        "containers": [_CONTAINER],
        "initContainers": [TABLE],
        "volumes": [TABLE],
        "imagePullSecrets": [TABLE],
        "securityContext": TABLE,
    },
}
"""What is read of a pod, or added to."""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Labels and spec of pods. `role` is the key it stands below, `copies` how many pods it makes.

    `document` is part of its workload: whoever changes it changes that.
    """

    document: dict[str, Any]
    role: str = ""
    copies: int = 1

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.document["spec"]
        return spec

    @property
    def labels(self) -> Mapping[str, Any]:
        return (self.document.get("metadata") or {}).get("labels") or {}

    def container(self, name: str) -> dict[str, Any] | None:
        found = (each for each in self.spec["containers"] if each.get("name") == name)
        return next(found, None)


def pod_templates(manifest: dict[str, Any]) -> list[PodTemplate]:
    """Return the pod templates of a workload; of a Pod the pod itself.

    A template is found by its key: overrides of pods that are made elsewhere
    have containers too, and take no further ones.
    """
    if manifest.get("kind") == "Pod":
        return [PodTemplate(manifest)] if _is_pod(manifest) else []
    return list(_below(manifest, ""))


def _below(node: dict[str, Any], name: str) -> Iterator[PodTemplate]:
    for key, value in node.items():
        if str(key).lower().endswith("template") and _is_pod(value):
            yield PodTemplate(value, name, _copies(node))
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from _below(each, key)


def _is_pod(value: Any) -> bool:
    """Whether this is a pod, or a template of one: a kind without a schema may hold anything."""
    spec = value.get("spec") if isinstance(value, dict) else None
    has_containers = isinstance(spec, dict) and isinstance(spec.get("containers"), list)
    return has_containers and not any(faults(value, _POD))


def _copies(node: Mapping[str, Any]) -> int:
    counts = (node.get(key) for key in ("replicas", "parallelism", "completions"))
    return max((count for count in counts if isinstance(count, int)), default=1)


@dataclass(frozen=True, slots=True)
class Reporting:
    """The templates whose pods report. `is_certain`: all of their pods do."""

    templates: Sequence[PodTemplate]
    is_certain: bool = True


def reporting(
    kind: str, holders: Sequence[PodTemplate], primary_labels: Mapping[str, str] | None
) -> Reporting:
    """Choose among the templates that hold the primary container those whose pods are meant.

    Labels that pods get from their controller are in no template, so that of
    several pods of one template it can be open which one is meant.
    """
    known = KINDS.get(kind)
    labels = primary_labels or (known.primary_labels if known else {})
    if labels.get(_JOB_ROLE) == "master":
        first = [each for each in holders if each.role in _FIRST_ROLES]
        if first:
            return Reporting(first)
    told = [each for each in holders if labels.items() <= each.labels.items()]
    if told:
        return Reporting(told)
    return Reporting(holders, is_certain=sum(each.copies for each in holders) <= 1)
