"""The checkpoint of a trial on a cluster: its directory on the volume of the experiment's trials.

An init container copies the parent's directory to a name of its own and renames
it, so that a directory under its own name is whole. It is there before the
trial's container starts; of several pods of one trial the first to rename wins,
and what the trial itself wrote is never overwritten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....api.errors import Fault
from ...checkpoints import DIRECTORY, RESUME_FROM
from .collector import Settings, least_security
from .templates import PodTemplate

PATH = "/tunewright/checkpoint"
"""Where a trial sees its checkpoint if the file does not say."""

NAME = "tunewright-checkpoint"
_ALL = "/tunewright/checkpoints"
_COPY = (
    'part="$2.$HOSTNAME"; mkdir -p "${2%/*}" || exit 1; '
    'if [ -d "$1" ] && [ ! -e "$2" ]; then '
    'rm -rf "$part"; cp -R "$1" "$part" || exit 1; '
    'mv -T "$part" "$2" 2>/dev/null || rm -rf "$part"; '
    'fi; mkdir -p "$2" || exit 1; '
    'shift 2; for spare in "$@"; do rm -rf "$spare" "$spare"-[0-9]*; done; true'
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the checkpoint of one attempt lies: directory `own` of a volume, seen at `path`.

    `parent` is the directory of the trial that it continues; `spare` are those that nobody
    will go on from, which are removed when it has its copy.
    """

    volume: Mapping[str, Any]
    path: str
    own: str
    parent: str | None = None
    is_retried: bool = False
    spare: Sequence[str] = ()

    @property
    def variables(self) -> Mapping[str, str]:
        """What the trial is told. It may find nothing where its parent left nothing."""
        told = {DIRECTORY: self.path}
        if self.parent is None and not self.is_retried:
            return told
        return {**told, RESUME_FROM: self.path}


def keep(template: PodTemplate, container: str, kept: Kept, settings: Settings) -> None:
    """Mount the trial's directory into its container, made ready before it starts."""
    pod, primary = template.spec, template.container(container)
    if primary is None:
        return
    source = f"{_ALL}/{kept.parent or kept.own}"
    spare = [f"{_ALL}/{each}" for each in kept.spare]
    copying = {
        "name": NAME,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["sh", "-c", _COPY, "sh", source, f"{_ALL}/{kept.own}", *spare],
        "volumeMounts": [{"name": NAME, "mountPath": _ALL}],
        "securityContext": least_security(pod, primary),
        "resources": dict(settings.resources),
    }
    pod["volumes"] = [*(pod.get("volumes") or ()), {**kept.volume, "name": NAME}]
    pod["initContainers"] = [*(pod.get("initContainers") or ()), copying]
    primary["volumeMounts"] = [
        *(primary.get("volumeMounts") or ()),
        {"name": NAME, "mountPath": kept.path, "subPath": kept.own},
    ]


def no_place(kind: str, container: str) -> Fault:
    """Return the fault of a workload whose pods are described elsewhere."""
    return Fault(
        "spec.checkpoint",
        f"no pod template of this {kind} holds the container {container}, so that no volume of"
        " checkpoints can be mounted",
        "use a kind whose trialSpec has the pod template, or leave spec.checkpoint out",
    )
