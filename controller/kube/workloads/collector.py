"""What is put into the pod of a primary container so that its metrics are collected.

All of it stands under `/tunewright` and in volumes of its own; the containers
that are added may run wherever pods may do next to nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ....metrics_collector.spec import CollectorKind, CollectorSpec
from .. import labels
from .templates import PodTemplate

NAME = "metrics-logger-and-collector"
"""Katib's name of the container: its clients read the logs of this one."""

LAUNCHER = "/launcher"
"""Where the collector's image has the launcher."""

AUDIENCE = "tunewright"

_ROOT = "/tunewright"
_LAUNCHER_FOLDER = f"{_ROOT}/launcher"
_LAUNCHED = f"{_LAUNCHER_FOLDER}/launcher"
_SPOOL = f"{_ROOT}/spool"
_ACCESS = f"{_ROOT}/access"
_FILES = f"{_ROOT}/files"
_LAUNCHER_VOLUME = "tunewright-launcher"
_SPOOL_VOLUME = "tunewright-spool"
_ACCESS_VOLUME = "tunewright-access"
_METRICS_VOLUME = "metrics-volume"  # Katib's name: custom collectors may ask for it

_KATIB_FOLDER = PurePosixPath("/var/log/katib")
"""It is the collectors' own; a volume there hides nothing of an image."""

_NOBODY = 65532
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's. `authority` is the PEM of who signed the service's certificate.

    Where `pull_secrets` are given, pods that name none no longer take those of
    their service account: then these must do for the user's image too. `reads_logs`
    asks for the log to be read where that is enough: no container is added then.
    """

    image: str
    metrics: str
    authority: str = ""
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    reads_logs: bool = False
    resources: Mapping[str, Any] = field(
        default_factory=lambda: {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        }
    )


def literal(text: str) -> str:
    """Write a text so that the kubelet, which expands `$(NAME)`, gives it as it is."""
    return text.replace("$", "$$")


@dataclass(frozen=True, slots=True)
class _Shared:
    """Where the program writes its metrics: mounts of both containers.

    `volume` is ours, if a new one is needed; `files` are made in it beforehand, named as the
    collector sees them.
    """

    program: tuple[Mapping[str, Any], ...] = ()
    collector: tuple[Mapping[str, Any], ...] = ()
    variables: tuple[Mapping[str, Any], ...] = ()
    volume: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collector:
    """The collector of one attempt. `identity` are the variables that say whom it reports for."""

    settings: Settings
    spec: CollectorSpec
    document: Mapping[str, Any]
    metrics: tuple[str, ...]
    identity: Mapping[str, str]

    def join(self, template: PodTemplate, name: str) -> None:
        """Put it beside the container of that name."""
        pod, container = template.spec, template.container(name)
        if container is None:
            return
        shared = self._shared(container)
        if shared.volume:
            _extend(pod, "volumes", {"name": _METRICS_VOLUME, "emptyDir": {}})
        if self.spec.kind is CollectorKind.CUSTOM:
            _extend(container, "volumeMounts", *shared.program)
            _stand_beside(pod, self._custom(shared))
            return
        secured = least_security(pod, container)
        is_launched = bool(container.get("command"))
        _extend(pod, "initContainers", self._sidecar(secured, shared))
        ours = ({"name": name, "emptyDir": {}} for name in (_LAUNCHER_VOLUME, _SPOOL_VOLUME))
        _extend(pod, "volumes", *ours, self._access())
        _extend(container, "volumeMounts", *shared.program)
        if is_launched:
            self._launch(container)
        self._grant(template)

    def _launch(self, container: dict[str, Any]) -> None:
        asked = (word for name in self.metrics for word in ("--metric", literal(name)))
        container["command"] = [
            *(_LAUNCHED, "--spool", _SPOOL, *asked, "--"),
            *container["command"],
        ]
        _extend(
            container,
            "volumeMounts",
            {**_mount(_LAUNCHER_VOLUME, _LAUNCHER_FOLDER), "readOnly": True},
            _mount(_SPOOL_VOLUME, _SPOOL),
        )

    def _grant(self, template: PodTemplate) -> None:
        """Give the pod what the image and the service ask for."""
        named = {each.get("name") for each in template.spec.get("imagePullSecrets") or ()}
        secrets = [{"name": each} for each in self.settings.pull_secrets if each not in named]
        if secrets:
            _extend(template.spec, "imagePullSecrets", *secrets)
        if self.settings.authority:
            metadata = template.document.setdefault("metadata", {})
            annotations = metadata.get("annotations") or {}
            metadata["annotations"] = {**annotations, labels.AUTHORITY: self.settings.authority}

    def _sidecar(self, secured: Mapping[str, Any], shared: _Shared) -> dict[str, Any]:
        variables = {
            **self.identity,
            "TUNEWRIGHT_SPOOL": _SPOOL,
            "TUNEWRIGHT_METRICS": self.settings.metrics,
            "TUNEWRIGHT_METRICS_TOKEN": f"{_ACCESS}/token",
            "TUNEWRIGHT_COLLECTOR": json.dumps(self._document(), sort_keys=True),
        }
        if self.settings.authority:
            variables["TUNEWRIGHT_METRICS_CA"] = f"{_ACCESS}/ca.crt"
        asked = (word for name in self.metrics for word in ("--metric", literal(name)))
        return {
            **self._container(NAME, secured),
            "restartPolicy": "Always",
            "command": [LAUNCHER, "--hold", "--", "tunewright", "collector", "--stay", *asked],
            "lifecycle": {"postStart": {"exec": {"command": self._preparation(shared)}}},
            "env": [
                *({"name": name, "value": literal(text)} for name, text in variables.items()),
                {
                    "name": "TUNEWRIGHT_POD",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
                },
                *shared.variables,
            ],
            "volumeMounts": [
                _mount(_LAUNCHER_VOLUME, _LAUNCHER_FOLDER),
                _mount(_SPOOL_VOLUME, _SPOOL),
                {**_mount(_ACCESS_VOLUME, _ACCESS), "readOnly": True},
                *shared.collector,
            ],
        }

    def _preparation(self, shared: _Shared) -> list[str]:
        """Bring the launcher, and make what the program and the collector both open.

        The kubelet starts no further container of a pod before such a hook is done. A
        container of its own would do as well, and make each trial wait a second longer.
        """
        return [LAUNCHER, "--prepare", _LAUNCHED, *map(literal, shared.files)]

    def _container(self, name: str, secured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "image": self.settings.image,
            "imagePullPolicy": self.settings.pull_policy,
            "resources": dict(self.settings.resources),
            "securityContext": dict(secured),
        }

    def _custom(self, shared: _Shared) -> dict[str, Any]:
        """Return the user's own collector, with its trial's name and the files of the program."""
        written = (self.document.get("collector") or {}).get("customCollector") or {}
        theirs = written.get("env") or []
        ours = {"name": "KATIB_TRIAL_NAME", "value": self.identity["TUNEWRIGHT_TRIAL"]}
        taken = any(each.get("name") == ours["name"] for each in theirs)
        return {
            "name": "metrics-collector",
            **written,
            "env": theirs if taken else [ours, *theirs],
            "volumeMounts": [*(written.get("volumeMounts") or []), *shared.collector],
        }

    def _document(self) -> Mapping[str, Any]:
        """Return the metricsCollectorSpec as the sidecar sees its files."""
        if not self._reads_files:
            return self.document
        source = self.document.get("source") or {}
        file = {**(source.get("fileSystemPath") or {}), "path": f"{_FILES}{self.spec.path}"}
        return {**self.document, "source": {**source, "fileSystemPath": file}}

    @property
    def _reads_files(self) -> bool:
        return self.spec.kind in {CollectorKind.FILE, CollectorKind.TFEVENT}

    def _access(self) -> dict[str, Any]:
        """Return the volume with what the service knows us by, and what we know it by."""
        token = {"audience": AUDIENCE, "expirationSeconds": _HOUR, "path": "token"}
        sources: list[dict[str, Any]] = [{"serviceAccountToken": token}]
        if self.settings.authority:
            field_of = {"fieldPath": f"metadata.annotations['{labels.AUTHORITY}']"}
            sources.append({"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": field_of}]}})
        return {"name": _ACCESS_VOLUME, "projected": {"sources": sources}}

    def _shared(self, container: Mapping[str, Any]) -> _Shared:
        """Say where both containers find the metrics: in the user's volume, or in one of ours.

        Ours covers a folder where that is what the user named, or Katib's; of a
        single file anywhere else only the file, for the image may have more there.
        """
        is_custom = self.spec.kind is CollectorKind.CUSTOM
        if not self.spec.path or not (is_custom or self._reads_files):
            return _Shared()
        path = PurePosixPath(self.spec.path)
        below = "" if is_custom else _FILES  # a custom collector knows the path as it is written
        theirs = _covering(container, path)
        if theirs is not None:
            mount = {**theirs, "mountPath": f"{below}{theirs['mountPath']}"}
            return _Shared(collector=(mount,), variables=_named_in(container, theirs))
        is_folder = self._names_folder
        folder = path if is_folder else path.parent
        if is_folder or is_custom or path.is_relative_to(_KATIB_FOLDER):
            return _Shared(
                (_mount(_METRICS_VOLUME, str(folder)),),
                (_mount(_METRICS_VOLUME, f"{below}{folder}"),),
                volume=True,
            )
        return _Shared(
            ({**_mount(_METRICS_VOLUME, str(path)), "subPath": path.name},),
            (_mount(_METRICS_VOLUME, f"{below}{folder}"),),
            volume=True,
            files=(f"{below}{path}",),
        )

    @property
    def _names_folder(self) -> bool:
        file = (self.document.get("source") or {}).get("fileSystemPath") or {}
        return self.spec.kind is CollectorKind.TFEVENT or file.get("kind") == "Directory"


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path}


def _extend(node: dict[str, Any], key: str, *items: Mapping[str, Any]) -> None:
    node[key] = [*(node.get(key) or []), *items]


def _stand_beside(pod: dict[str, Any], custom: Mapping[str, Any]) -> None:
    """Put the user's own collector where it is meant to be.

    Those that were written for Katib are one more container of the pod: they see the program's
    processes, report once the last of them is gone, and end. One that says `restartPolicy: Always`
    is a native sidecar, which the kubelet ends after the program.
    """
    if custom.get("restartPolicy") == "Always":
        _extend(pod, "initContainers", custom)
        return
    pod["shareProcessNamespace"] = True
    _extend(pod, "containers", custom)


def _covering(container: Mapping[str, Any], path: PurePosixPath) -> Mapping[str, Any] | None:
    """Return the user's mount that the path lies in, the innermost of several."""
    mounts = [
        each
        for each in container.get("volumeMounts") or ()
        if path.is_relative_to(str(each.get("mountPath")))
    ]
    return max(mounts, key=lambda each: len(str(each.get("mountPath"))), default=None)


def _named_in(
    container: Mapping[str, Any], mount: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Return the variables that a mount's `subPathExpr` names."""
    written = str(mount.get("subPathExpr") or "")
    return tuple(each for each in container.get("env") or () if f"$({each.get('name')})" in written)


def least_security(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context of what is added: the least there is, as the primary container's user.

    Who shares files with it must be able to read them; only root it never is.
    """
    of_pod = pod.get("securityContext") or {}
    own = container.get("securityContext") or {}
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    if "seccompProfile" not in of_pod:
        context["seccompProfile"] = {"type": "RuntimeDefault"}
    context |= {key: own[key] for key in ("runAsUser", "runAsGroup") if own.get(key)}
    if of_pod.get("runAsUser") == 0:
        context.setdefault("runAsUser", _NOBODY)
    return context
