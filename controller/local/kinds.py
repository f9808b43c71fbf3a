"""The kinds of workload that run on one machine: each says what pods it has.

Replicas become processes that meet on 127.0.0.1, with the variables that their
operators set on a cluster. A kind is one small object and a line in the table.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.errors import Unsupported
from .pods import Pod, pod_of

HOST = "127.0.0.1"
_CLUSTER = "run the same file on a cluster with --cluster"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a workload runs. `pods[0]` is the primary; a failed pod starts anew `restarts` times."""

    pods: tuple[Pod, ...]
    waits_for_all: bool = False
    restarts: int = 0
    deadline: float | None = None


class Kind(Protocol):
    def plan(
        self, manifest: Mapping[str, Any], primary: str, free_port: Callable[[], int]
    ) -> Plan: ...


def _name(manifest: Mapping[str, Any]) -> str:
    return str((manifest.get("metadata") or {}).get("name") or "trial")


def _whole(value: object, default: int) -> int:
    return default if value is None else int(str(value))


def _seconds(value: object) -> float | None:
    return None if value is None else float(str(value))


class Job:
    """batch/v1 Job of one pod."""

    def plan(self, manifest: Mapping[str, Any], primary: str, free_port: Callable[[], int]) -> Plan:
        del free_port
        spec = manifest.get("spec") or {}
        for name in ("parallelism", "completions"):
            if _whole(spec.get(name), 1) != 1:
                raise Unsupported(
                    f"spec.{name}: a Job runs as one pod here; use a PyTorchJob or a TrainJob for"
                    f" several processes, or {_CLUSTER}"
                )
        pod = pod_of(
            spec.get("template") or {},
            name=_name(manifest), role="job", index=0, primary=primary, variables={},
        )  # fmt: skip
        return Plan(
            (pod,),
            restarts=_whole(spec.get("backoffLimit"), 0),
            deadline=_seconds(spec.get("activeDeadlineSeconds")),
        )


@dataclass(frozen=True, slots=True)
class _Replica:
    role: str
    index: int
    template: Mapping[str, Any]


class _Replicated:
    """A job of the training operator: replica specs by role."""

    replicas = ""
    roles: tuple[str, ...] = ()

    def plan(self, manifest: Mapping[str, Any], primary: str, free_port: Callable[[], int]) -> Plan:
        spec = manifest.get("spec") or {}
        written = spec.get(self.replicas) or {}
        given = {str(role).lower(): each or {} for role, each in written.items()}
        unknown = sorted(set(given) - set(self.roles))
        if unknown:
            raise Unsupported(
                f"spec.{self.replicas}.{unknown[0]}: known replicas are {', '.join(self.roles)}"
            )
        replicas = [
            _Replica(role, index, given[role].get("template") or {})
            for role in self.roles
            if role in given
            for index in range(_whole(given[role].get("replicas"), 1))
        ]
        if not replicas:
            raise Unsupported(f"spec.{self.replicas}: no replica is asked for")
        variables = self.variables(spec, replicas, free_port)
        name = _name(manifest)
        policy = spec.get("runPolicy") or {}
        return Plan(
            tuple(
                pod_of(
                    each.template, name=f"{name}-{each.role}-{each.index}", role=each.role,
                    index=position, primary=primary, variables=variables[position],
                )
                for position, each in enumerate(replicas)
            ),
            restarts=_whole(policy.get("backoffLimit"), 0),
            deadline=_seconds(policy.get("activeDeadlineSeconds")),
        )  # fmt: skip

    def variables(
        self, spec: Mapping[str, Any], replicas: list[_Replica], free_port: Callable[[], int]
    ) -> list[dict[str, str]]:
        raise NotImplementedError


class PyTorchJob(_Replicated):
    """The master, or worker 0 without one, is rank 0 and decides."""

    replicas = "pytorchReplicaSpecs"
    roles = ("master", "worker")

    def variables(
        self, spec: Mapping[str, Any], replicas: list[_Replica], free_port: Callable[[], int]
    ) -> list[dict[str, str]]:
        port, size = str(free_port()), str(len(replicas))
        processes = str(spec.get("nprocPerNode") or "auto")
        return [
            {
                "MASTER_ADDR": HOST, "MASTER_PORT": port, "WORLD_SIZE": size, "RANK": str(rank),
                "PET_MASTER_ADDR": HOST, "PET_MASTER_PORT": port, "PET_NNODES": size,
                "PET_NODE_RANK": str(rank), "PET_NPROC_PER_NODE": processes,
                "PYTHONUNBUFFERED": "1",
            }
            for rank in range(len(replicas))
        ]  # fmt: skip


class TFJob(_Replicated):
    """The chief, or worker 0 without one, decides; each process has a port of its own."""

    replicas = "tfReplicaSpecs"
    roles = ("chief", "master", "worker", "ps", "evaluator")

    def variables(
        self, spec: Mapping[str, Any], replicas: list[_Replica], free_port: Callable[[], int]
    ) -> list[dict[str, str]]:
        del spec
        if len(replicas) == 1:  # the operator leaves a single process alone
            return [{}]
        cluster: dict[str, list[str]] = {}
        for each in replicas:
            if each.role != "evaluator":  # an evaluator is no member of the cluster
                cluster.setdefault(each.role, []).append(f"{HOST}:{free_port()}")
        return [
            {
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": cluster,
                        "task": {"type": each.role, "index": each.index},
                        "environment": "cloud",
                    }
                )
            }
            for each in replicas
        ]


class TrainJob:
    """A TrainJob with a command of its own; its runtime's pod template lives on a cluster."""

    def plan(self, manifest: Mapping[str, Any], primary: str, free_port: Callable[[], int]) -> Plan:
        spec = manifest.get("spec") or {}
        trainer = spec.get("trainer") or {}
        if not trainer.get("command"):
            raise Unsupported(
                "spec.trainer.command: the command of a runtime is known only to its cluster;"
                f" write the command here, or {_CLUSTER}"
            )
        nodes = _whole(trainer.get("numNodes"), 1)
        port, name = str(free_port()), _name(manifest)
        container = {
            "name": "node",
            **{key: trainer[key] for key in ("image", "command", "args", "env") if key in trainer},
            "resources": trainer.get("resourcesPerNode") or {},
        }
        template = {"metadata": {"labels": spec.get("labels") or {}}}
        pods = tuple(
            pod_of(
                {**template, "spec": {"containers": [container]}},
                name=f"{name}-node-0-{rank}", role="node", index=rank, primary=primary,
                variables={
                    "PET_NNODES": str(nodes), "PET_NODE_RANK": str(rank),
                    "PET_NPROC_PER_NODE": str(trainer.get("numProcPerNode") or "auto"),
                    "PET_MASTER_ADDR": HOST, "PET_MASTER_PORT": port,
                    "JOB_COMPLETION_INDEX": str(rank),
                },
            )
            for rank in range(nodes)
        )  # fmt: skip
        return Plan(pods, waits_for_all=True)


KINDS: Mapping[str, Kind] = {
    "Job": Job(),
    "PyTorchJob": PyTorchJob(),
    "TFJob": TFJob(),
    "TrainJob": TrainJob(),
}
REFUSED: Mapping[str, str] = {
    "MPIJob": f"its launcher needs a cluster; {_CLUSTER}, or run mpirun in a Job",
    "XGBoostJob": f"write a Job of one process here, or {_CLUSTER}",
    "PaddleJob": f"write a Job of one process here, or {_CLUSTER}",
    "JAXJob": f"write a TrainJob with a command here, or {_CLUSTER}",
    "RayJob": f"it needs KubeRay; start ray inside a Job here, or {_CLUSTER}",
    "Workflow": f"it needs Argo; write the step that trains as a Job here, or {_CLUSTER}",
    "PipelineRun": f"it needs Tekton; write the step that trains as a Job here, or {_CLUSTER}",
    "TaskRun": f"it needs Tekton; write the step that trains as a Job here, or {_CLUSTER}",
}


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """Find what runs this manifest.

    Raises:
        Unsupported: it cannot run on one machine; the message says what can be done instead.
    """
    name = str(manifest.get("kind") or "")
    kind = KINDS.get(name)
    if kind is None:
        remedy = REFUSED.get(name, f"local kinds are {', '.join(KINDS)}; or {_CLUSTER}")
        raise Unsupported(
            f"{name or 'a template without kind'} cannot run on this machine: {remedy}"
        )
    return kind
