"""What trials on this machine are given, and whether they can run here."""

import base64
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..api.characters import is_unicode
from ..api.compile import checkpoint
from ..api.errors import TELL, Fault, Invalid, Unsupported
from ..api.experiment import ExperimentSpec
from ..controller.local.attempt import prepare
from ..controller.local.options import LocalOptions
from ..controller.local.sharing import check_sharing
from ..controller.local.workspace import can_bind
from ..controller.ports import AttemptRef, Workload
from ..metrics_collector.spec import collector_spec
from .commands import CALLER
from .rendered import primary_name, sample_manifest

_OF_THE_COMMAND = frozenset({TELL, CALLER})
"""Variables that tell a command of ours how it was called: what a trial runs may be another."""


def default_options(others: Sequence[Mapping[str, Any]] = ()) -> LocalOptions:
    """Gather what trials are given where nothing is said about the machine.

    `others` are Secrets and ConfigMaps.
    """
    return LocalOptions(
        environ={k: v for k, v in os.environ.items() if k not in _OF_THE_COMMAND},
        secrets=_data(others, "Secret"),
        config_maps=_data(others, "ConfigMap"),
    )


def _data(others: Sequence[Mapping[str, Any]], kind: str) -> dict[str, dict[str, str]]:
    """Return the data of Secrets or ConfigMaps by name; a Secret's `data` is base64."""
    found: dict[str, dict[str, str]] = {}
    for document in others:
        if document.get("kind") != kind:
            continue
        held = document.get("data") or {}
        values = {str(key): str(value) for key, value in held.items()}
        if kind == "Secret":
            values = {k: base64.b64decode(v).decode("utf-8", "replace") for k, v in values.items()}
            values |= {str(k): str(v) for k, v in (document.get("stringData") or {}).items()}
        found[str((document.get("metadata") or {}).get("name"))] = values
    return found


def directory_of(workdir: str | None, named: str = "workdir") -> str:
    """Return where trials start: by default the current directory.

    Raises:
        Invalid: there is no such directory, or no store can keep its name.
    """
    path = Path(workdir or os.getcwd()).expanduser().absolute()  # noqa: PTH109 - Path.cwd resolves links, which users see
    if not path.is_dir():
        raise Invalid([Fault(named, f"{path} is not a directory", "name an existing one")])
    if not is_unicode(str(path)):
        raise Invalid([Fault(named, f"{str(path)!r} is not written in UTF-8", "rename it")])
    return str(path)


def check_machine(document: Mapping[str, Any], options: LocalOptions, workdir: str) -> str:
    """Prepare a trial without starting it; return the program that its command means.

    Raises:
        Unsupported: it cannot run on this machine; the message says where or how it can.
    """
    check_sharing(document)
    primary = primary_name(document) or ""
    private = collector_spec(document["spec"].get("metricsCollectorSpec")).own_directory
    with tempfile.TemporaryDirectory(prefix="tunewright-check-") as folder:
        prepared = prepare(
            Workload(
                ref=AttemptRef("", 0, "check", 1, ""),
                manifest=sample_manifest(document),
                primary_container=primary,
                directory=Path(folder),
                workdir=Path(workdir),
                private=() if private is None else (private,),
                mounts=_checkpoint_mount(document, Path(folder)),
            ),
            options,
        )
    if any(command.binds for command in prepared.commands.values()) and not can_bind():
        raise Unsupported(
            "this machine lets no process have directories of its own (mount namespaces), which"
            " keep volumes, checkpoints and the metrics collector's files of two trials apart: use"
            " --runtime docker"
        )
    pod = prepared.plan.pods[0]
    container = next((c for c in pod.containers if c.name == primary), pod.containers[-1])
    return prepared.commands[pod.name, container.name].executable


def _checkpoint_mount(document: Mapping[str, Any], folder: Path) -> tuple[tuple[Path, Path], ...]:
    kept = checkpoint(ExperimentSpec.read(document["spec"]))
    return ((folder, Path(kept.path)),) if kept is not None and kept.path else ()
