"""What is known of the kinds of workload: where their pods are, and what means an end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


def _condition(name: str) -> str:
    return f'status.conditions.#(type=="{name}")#|#(status=="True")#'


@dataclass(frozen=True)
class WorkloadKind:
    """`replicas` is the key of the map of replica specs, None where the pod template is direct."""

    name: str
    success: str
    failure: str
    primary_labels: Mapping[str, str] = field(default_factory=dict)
    replicas: str | None = None
    container: str | None = None


_MASTER = {"training.kubeflow.org/job-role": "master"}


def _training_job(name: str, replicas: str, container: str | None = None) -> WorkloadKind:
    return WorkloadKind(
        name, _condition("Succeeded"), _condition("Failed"), _MASTER, replicas, container
    )


_KINDS = (
    WorkloadKind("Job", _condition("Complete"), _condition("Failed")),
    _training_job("TFJob", "tfReplicaSpecs", "tensorflow"),
    _training_job("PyTorchJob", "pytorchReplicaSpecs", "pytorch"),
    _training_job("XGBoostJob", "xgbReplicaSpecs", "xgboost"),
    _training_job("MPIJob", "mpiReplicaSpecs"),
    WorkloadKind(
        "TrainJob",
        _condition("Complete"),
        _condition("Failed"),
        {
            "jobset.sigs.k8s.io/replicatedjob-name": "node",
            "batch.kubernetes.io/job-completion-index": "0",
        },
        container="node",
    ),
)
KINDS: Mapping[str, WorkloadKind] = {kind.name: kind for kind in _KINDS}


def _at(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def pod_specs(manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod specs of a manifest of a known kind, each with its path."""
    kind = KINDS.get(str(manifest.get("kind")))
    if kind is None:
        return
    if kind.replicas is None:
        pod = _at(manifest, "spec", "template", "spec")
        if isinstance(pod, dict):
            yield "spec.template.spec", pod
        return
    replicas = _at(manifest, "spec", kind.replicas)
    for role in replicas if isinstance(replicas, dict) else ():
        pod = _at(replicas, role, "template", "spec")
        if isinstance(pod, dict):
            yield f"spec.{kind.replicas}.{role}.template.spec", pod


def containers(manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the main containers of a manifest of a known kind, each with its path."""
    for path, pod in pod_specs(manifest):
        written = pod.get("containers")
        for i, container in enumerate(written if isinstance(written, list) else ()):
            if isinstance(container, dict):
                yield f"{path}.containers[{i}]", container


def only_container(manifest: Mapping[str, Any]) -> str | None:
    """Return the primary container that goes without saying, None where several could be it."""
    kind = KINDS.get(str(manifest.get("kind")))
    names = {str(container.get("name")) for _, container in containers(manifest)}
    if len(names) == 1:
        return names.pop()
    if kind is not None and (kind.container in names or not names):
        return kind.container
    return None
