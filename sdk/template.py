"""The trial template of `tune`: a Job with one container."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTAINER = "training"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a trial of `tune` is given to run on.

    `resources` are limits, as Kubernetes writes them; `volumes` what is mounted, by the path at
    which it is seen: a claim's name, or a volume of Kubernetes without its name. `template`
    is merged over the whole `trialTemplate`: mappings by key, lists by the `name` of what is
    in them.
    """

    image: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)


def template(command: Sequence[str], machine: Machine, *, image: str) -> dict[str, Any]:
    """Return the template in which each trial runs the command, and reads its point itself."""
    mounts = [
        {"name": f"volume-{number}", "mountPath": path}
        for number, path in enumerate(machine.volumes)
    ]
    container = {
        "name": CONTAINER,
        "image": machine.image or image,
        "command": list(command),
        "env": [{"name": name, "value": value} for name, value in machine.env.items()],
        "resources": {"limits": dict(machine.resources)} if machine.resources else {},
        "volumeMounts": mounts,
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [_filled(container)],
        "volumes": [
            {"name": mount["name"], **_volume(volume)}
            for mount, volume in zip(mounts, machine.volumes.values(), strict=True)
        ],
        "nodeSelector": dict(machine.node_selector),
    }
    made = {
        "primaryContainerName": CONTAINER,
        "trialParameters": [],
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"backoffLimit": 0, "template": {"spec": _filled(pod)}},
        },
    }
    merged: dict[str, Any] = _merged(made, machine.template)
    return merged


def _volume(volume: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(volume, str):
        return {"persistentVolumeClaim": {"claimName": volume}}
    return volume


def _filled(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if value not in ({}, [])}


def _merged(under: Any, over: Any) -> Any:
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return {**under, **{key: _merged(under.get(key), value) for key, value in over.items()}}
    if _is_named(under) and _is_named(over):
        known = {each["name"]: each for each in under}
        changed = {each["name"]: _merged(known.get(each["name"]), each) for each in over}
        return list({**known, **changed}.values())
    return over


def _is_named(value: Any) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(each, Mapping) and "name" in each for each in value)
