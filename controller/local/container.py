"""A container's image, run by docker or podman: the argument list that does it.

The runtime's own client is the process that the guard sees; what lives outside
its tree ends by `rm --force`. Values of variables never stand in the arguments,
which everybody on the machine can read: the client takes them from its own
environment by name.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...api.errors import Unsupported
from ..ports import Workload
from .environment import UNBUFFERED, expand
from .options import LocalOptions
from .pods import Container, Pod
from .processes import Command
from .workspace import FILES, volume_sources

LABEL = "tunewright.token"
_UNFIT = re.compile(r"[^a-zA-Z0-9_.-]")
_OURS = frozenset({"PATH", "HOME"})
"""What the client needs for itself, and the image has of its own."""


def container_command(
    workload: Workload,
    options: LocalOptions,
    pod: Pod,
    container: Container,
    variables: Mapping[str, str],
) -> Command:
    """Return what runs the container.

    Raises:
        Unsupported: the runtime is not installed, or the container names no image.
    """
    program = shutil.which(options.runtime, path=options.environ.get("PATH"))
    if program is None:
        raise Unsupported(
            f"--runtime {options.runtime}: there is no program {options.runtime} on this machine; "
            "install it, or leave --runtime out"
        )
    if not container.image:
        raise Unsupported(f"container {container.name}: names no image for {options.runtime}")
    name = _UNFIT.sub("-", f"{workload.ref.token[:16]}-{pod.name}-{container.name}")
    token = workload.ref.token
    variables = {**UNBUFFERED, **variables}  # what the caller says of it reaches no container
    argv = [
        *(program, "run", "--rm", "--name", name, "--label", f"{LABEL}={token}"),
        *("--network", "host"),
        *_names(variables),
        *_volumes(workload, options, pod, container),
        *_limits(container),
        *_place(container),
        *_entry(container, variables),
    ]
    return Command(
        executable=program,
        argv=argv,
        variables={k: v for k, v in variables.items() if k not in _OURS},
        cwd=str(workload.workdir),
        token=token,
        undo=(program, "rm", "--force", name),
    )


def _names(variables: Mapping[str, str]) -> list[str]:
    words = []
    for name, value in variables.items():
        words += ["--env", f"{name}={value}" if name in _OURS else name]
    return words


def _volumes(
    workload: Workload, options: LocalOptions, pod: Pod, container: Container
) -> list[str]:
    directory = workload.directory
    bound = [(directory, directory)]
    for place in workload.private:
        own = directory / FILES / place.relative_to("/")
        own.mkdir(parents=True, exist_ok=True)
        bound.append((own, place))
    report = workload.environment.get("TUNEWRIGHT_REPORT", "").removeprefix("unix:")
    if report:
        folder = Path(report).parent
        bound.append((folder, folder))
    bound += workload.mounts
    bound += volume_sources(directory, pod, container, options)
    words = []
    for source, target in bound:
        words += ["--volume", f"{source}:{target}"]
    return words


def _limits(container: Container) -> list[str]:
    limits = container.limits
    words = []
    if limits.memory is not None:
        words += ["--memory", str(limits.memory)]
    if limits.cpu is not None:
        words += ["--cpus", f"{limits.cpu:g}"]
    if "nvidia.com/gpu" in limits.devices:
        words += ["--gpus", "all", "--env", "CUDA_VISIBLE_DEVICES"]
    if "amd.com/gpu" in limits.devices:
        words += ["--device", "/dev/kfd", "--device", "/dev/dri"]
        words += ["--env", "HIP_VISIBLE_DEVICES", "--env", "ROCR_VISIBLE_DEVICES"]
    return words


def _place(container: Container) -> Sequence[str]:
    given = container.document.get("workingDir")
    return ("--workdir", str(given)) if given else ()


def _entry(container: Container, variables: Mapping[str, str]) -> list[str]:
    """Return image and words: `command` takes the place of the image's entry point."""
    command = [expand(each, variables) for each in container.command]
    args = [expand(each, variables) for each in container.args]
    if not command:
        return [container.image, *args]
    return ["--entrypoint", command[0], container.image, *command[1:], *args]
