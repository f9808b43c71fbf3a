"""Control groups: limits of memory and CPU that the operating system itself holds.

A container with limits gets a group of its own, below one that we may write: of
the second version a neighbour or ancestor that was delegated to us (what
`systemd-run --user --scope` gives), of the first version our own. Where there
is none, nothing here holds anything, and memory is watched instead.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .quantities import Limits

MEMORY, CPU = "memory", "cpu"
REMEDY = "start it as `systemd-run --user --scope tunewright …`, as root, or use --runtime docker"
_PERIOD = 100_000  # microseconds, Kubernetes' own
_SHORTEST = 1_000  # the kernel's least quota
_PREFIX = "tunewright-"
_OPTIONAL = {"memory.swap.max", "memory.memsw.limit_in_bytes", "memory.oom.group"}
"""Files that a kernel without swap, or an older one, does not have."""
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A group below which groups may be made that limit what `controllers` name."""

    folder: Path
    controllers: frozenset[str]
    unified: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one container: a directory for each hierarchy that takes part."""

    directories: tuple[Path, ...] = ()
    holds_memory: bool = False

    def was_exceeded(self) -> bool:
        """Say whether the kernel ended a process in it at the limit of memory."""
        for directory in self.directories:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    found = _KILLS.search((directory / name).read_text(encoding="ascii"))
                    if found and int(found[1]):
                        return True
        return False

    def remove(self) -> None:
        for directory in self.directories:
            with contextlib.suppress(OSError):
                directory.rmdir()


@cache
def own_places() -> tuple[Place, ...]:
    """Return where this process may make groups."""
    return tuple(places(Path("/proc/self")))


def places(process: Path) -> Iterator[Place]:
    """Yield where that process, by its directory in /proc, may make groups."""
    try:
        lines = (process / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = _mounts((process / "mountinfo").read_text(encoding="utf-8"))
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names not in mounts or names not in {"", MEMORY, CPU, "cpu,cpuacct"}:
            continue
        root, mount = mounts[names]
        own = mount / path.removeprefix(root.rstrip("/")).lstrip("/")
        if not names:
            yield from _delegated(own, mount)
        elif _is_ours(own):
            yield Place(own, frozenset({names.partition(",")[0]}), unified=False)


def held(where: Sequence[Place]) -> frozenset[str]:
    """Return which limits hold there."""
    return frozenset(name for place in where for name in place.controllers)


def make_group(where: Sequence[Place], name: str, limits: Limits) -> Group:
    """Make the group of one container; what cannot be made holds nothing."""
    wanted = {MEMORY: limits.memory, CPU: limits.cpu}
    made, memory = [], False
    for place in where:
        values = {key: wanted[key] for key in place.controllers if wanted[key] is not None}
        directory = place.folder / f"{_PREFIX}{name}"
        if values and _make(directory, dict(_settings(values, unified=place.unified))):
            made.append(directory)
            memory = memory or MEMORY in values
    return Group(tuple(made), memory)


def remove_left(where: Sequence[Place], tokens: Sequence[str]) -> None:
    """Remove the groups of attempts whose processes a killed engine left, and that are ended."""
    for place in where:
        for token in filter(None, tokens):
            Group(tuple(place.folder.glob(f"{_PREFIX}{token}*"))).remove()


def _mounts(mountinfo: str) -> dict[str, tuple[str, Path]]:
    """Return root and place of each hierarchy by its controllers, the second version's by ""."""
    found = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            found[""] = (root, Path(place))
        elif kind == "cgroup":
            names = [each for each in options.split(",") if each in {CPU, "cpuacct", MEMORY}]
            found[",".join(names) or options] = (root, Path(place))
    return found


def _delegated(own: Path, mount: Path) -> Iterator[Place]:
    """Yield the nearest group up from our own that hands its controllers down, and is ours.

    A process may move only below an ancestor of its own group that it may write.
    """
    for folder in (own, *own.parents):
        if not folder.is_relative_to(mount):
            return
        with contextlib.suppress(OSError):
            names = (folder / "cgroup.subtree_control").read_text(encoding="ascii").split()
            controllers = frozenset({MEMORY, CPU} & set(names))
            if controllers and _is_ours(folder):
                yield Place(folder, controllers, unified=True)
                return


def _is_ours(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _settings(values: dict[str, float | int | None], *, unified: bool) -> Iterator[tuple[str, str]]:
    """Yield what to write for these limits: memory in bytes, without swap; CPU as a quota."""
    memory, cpu = values.get(MEMORY), values.get(CPU)
    quota = 0 if cpu is None else max(_SHORTEST, round(cpu * _PERIOD))
    if memory is not None and unified:
        yield "memory.max", str(memory)
        yield "memory.swap.max", "0"
        yield "memory.oom.group", "1"
    elif memory is not None:
        yield "memory.limit_in_bytes", str(memory)
        yield "memory.memsw.limit_in_bytes", str(memory)
    if cpu is not None and unified:
        yield "cpu.max", f"{quota} {_PERIOD}"
    elif cpu is not None:
        yield "cpu.cfs_period_us", str(_PERIOD)
        yield "cpu.cfs_quota_us", str(quota)


def _make(directory: Path, settings: dict[str, str]) -> bool:
    """Make a group with these limits, and say whether they hold."""
    try:
        directory.mkdir(exist_ok=True)
        for name, text in settings.items():
            if name not in _OPTIONAL or (directory / name).exists():
                (directory / name).write_text(text, encoding="ascii")
    except OSError:
        Group((directory,)).remove()
        return False
    return True
