"""One attempt of a trial: its pods, from the first init container to the last process."""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...api.errors import Retryable
from ...db.records import Usage
from ..plan.view import EndReason
from ..ports import AttemptRef, Change, Ended, Output, Started, Workload
from .allotment import needed
from .cgroups import Group, Place, make_group
from .container import container_command
from .environment import (
    UNBUFFERED,
    Surroundings,
    argv_of,
    declared,
    executable_of,
    workdir_of,
)
from .forms import check_form
from .kinds import Plan, kind_of
from .options import LocalOptions
from .pods import Container, Pod
from .processes import Command, Exit, Processes
from .sharing import free_port
from .streams import Streams
from .workspace import mount_binds, private_binds, volume_sources

DRAIN_SECONDS = 5.0
"""How long a pipe may stay open when its process and all it left behind have ended."""

SIDECAR_GRACE = 5.0
SHOWN = 4000
"""How many bytes of stderr a message shows the last lines of."""
KEPT = 64 << 10
"""How many bytes of each stream of the primary container stay with the trial's record."""


@dataclass(frozen=True)
class Prepared:
    """All that an attempt needs, found before anything is started."""

    plan: Plan
    commands: Mapping[tuple[str, str], Command]
    devices: Mapping[str, int]

    def with_variables(self, given: Mapping[tuple[str, str], Mapping[str, str]]) -> "Prepared":
        """Return it with further variables of containers, by the names of pod and container."""
        commands = {
            key: replace(command, variables={**command.variables, **given.get(key, {})})
            for key, command in self.commands.items()
        }
        return replace(self, commands=commands)


def prepare(workload: Workload, options: LocalOptions) -> Prepared:
    """Find programs, variables and directories of every container.

    Raises:
        Unsupported: something cannot be had here; the message says how it can.
        Retryable: the directory that trials start in is gone, and may come back.
    """
    if not workload.workdir.is_dir():
        raise Retryable(f"{workload.workdir}, where trials start, is gone: restore it")
    kind = kind_of(workload.manifest)
    check_form(workload.manifest)
    plan = kind.plan(workload.manifest, workload.primary_container, free_port)
    commands = {
        (pod.name, container.name): _command(workload, options, pod, container)
        for pod in plan.pods
        for container in pod.containers
    }
    return Prepared(plan, commands, needed(plan.pods))


def _command(workload: Workload, options: LocalOptions, pod: Pod, container: Container) -> Command:
    where = Surroundings(pod, workload.namespace, workload.ref.uid, options)
    variables = declared(where, container, workload.environment)
    if options.runtime != "process":
        return container_command(workload, options, pod, container, variables)
    path = variables.get("PATH") or options.environ.get("PATH", os.defpath)
    argv = argv_of(container, variables)
    cwd = workdir_of(container, workload.workdir)
    directory = workload.directory
    mounts = (*workload.mounts, *volume_sources(directory, pod, container, options))
    binds = [
        *private_binds(directory, workload.private, cwd),
        *mount_binds(directory, mounts, cwd),
    ]
    return Command(
        executable=executable_of(argv, path, cwd),
        argv=argv,
        variables=UNBUFFERED | variables
        if "PYTHONUNBUFFERED" not in options.environ
        else variables,
        cwd=str(cwd),
        token=workload.ref.token,
        memory=container.limits.memory,
        binds=tuple(dict.fromkeys(binds)),
    )


class _Process:
    """One running process; implements the listener of `Processes`."""

    def __init__(
        self,
        container: Container,
        grace: float,
        group: Group,
        on_started: Callable[[int, float], None] | None,
        name: str,
    ) -> None:
        self.ident = 0
        self.name = name
        self.container = container
        self.grace = grace
        self.group = group
        self.end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._on_started = on_started

    def started(self, pid: int, started_at: float) -> None:
        if self._on_started is not None:
            self._on_started(pid, started_at)

    def ended(self, end: Exit) -> None:
        if not self.end.done():
            self.end.set_result(end)


class Attempt:
    """Runs the pods of one attempt. `task` is what runs it."""

    def __init__(
        self,
        workload: Workload,
        prepared: Prepared,
        processes: Processes,
        places: Callable[[], Sequence[Place]],
        on_change: Callable[[Change], None],
    ) -> None:
        self.ref: AttemptRef = workload.ref
        self.task: asyncio.Task[None] | None = None
        self._workload = workload
        self._prepared = prepared
        self._processes = processes
        self._places = places
        self._on_change = on_change
        self._running: set[_Process] = set()
        self._grace: float | None = None
        self._is_started = False
        self._is_decided = False  # what still runs is ended because the primary has
        self._cpu = 0.0
        self._peak = 0
        self._tails: dict[str, bytearray] = {}

    def stop(self, grace: float) -> None:
        """Ask every process to end within its pod's grace, or `grace`; nothing new is started."""
        self._grace = grace if self._grace is None else min(self._grace, grace)
        self._stop(self._running, self._grace)

    def _stop(self, processes: Iterable[_Process], grace: float) -> None:
        for process in processes:
            self._processes.stop(process.ident, min(grace, process.grace))

    async def run(self) -> Ended:
        """Run it to its end."""
        began = time.monotonic()
        plan = self._prepared.plan
        if len(plan.pods) == 1 and plan.deadline is None:
            results, late = [await self._pod(plan.pods[0])], False
        else:
            results, late = await self._together(plan)
        reason, code, message = self._judge(results, late=late, all_count=plan.waits_for_all)
        wall = time.monotonic() - began
        usage = Usage(wall, self._cpu, self._peak, wall * sum(self._prepared.devices.values()))
        output = {name: bytes(tail[-KEPT:]) for name, tail in self._tails.items()}
        return Ended(self.ref, reason, code, message, usage, time.time(), output)

    async def _together(self, plan: Plan) -> tuple[list[Exit], bool]:
        """Run all pods until one of them decides or time runs out; say how each ended, and if."""
        pods = [asyncio.create_task(self._pod(pod)) for pod in plan.pods]
        late = await self._await_decision(pods, plan)
        if self._grace is None:
            self.stop(math.inf if late else SIDECAR_GRACE)
            self._is_decided = True
        await asyncio.wait(pods)
        return [task.result() for task in pods], late

    async def _await_decision(self, pods: list[asyncio.Task[Exit]], plan: Plan) -> bool:
        """Wait until the primary pod has ended, or all, or one failed; say if time ran out."""
        waiting = set(pods)
        deadline = None if plan.deadline is None else time.monotonic() + plan.deadline
        while waiting:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return True
            if any(task.result().code != 0 for task in done):
                return False
            if pods[0] in done and not plan.waits_for_all:
                return False
        return False

    def _judge(
        self, results: Iterable[Exit], *, late: bool, all_count: bool
    ) -> tuple[EndReason, int | None, str]:
        exits = list(results)
        failed = [each for each in exits if each.code != 0 and not each.ended_by_us]
        decisive = exits[0] if not failed or (exits[0].code == 0 and not all_count) else failed[0]
        if late:
            deadline = self._prepared.plan.deadline
            message = f"ran longer than activeDeadlineSeconds {deadline:g}"
            return EndReason.FAILED, decisive.code, message
        # A program that was asked to end may say that all is well: it has saved its work.
        is_interrupted = decisive.code != 0 or decisive.ended_by_us
        if is_interrupted and self._grace is not None and not self._is_decided:
            return EndReason.STOPPED, decisive.code, decisive.told
        return _own_end(decisive)

    # Pods.

    async def _pod(self, pod: Pod) -> Exit:
        end = await self._pod_once(pod)
        for _ in range(self._prepared.plan.restarts):
            if end.code in {0, None} or self._grace is not None:
                return end  # what never began, or was lost, is no failure of the pod's
            end = await self._pod_once(pod)
        return end

    async def _pod_once(self, pod: Pod) -> Exit:
        beside: list[asyncio.Task[Exit]] = []
        staying: list[_Process] = []
        try:
            for container in pod.init:
                if container.is_sidecar:
                    self._start_beside(pod, container, beside, staying)
                    continue
                end = await self._container(pod, container)
                if end.code != 0:
                    return end
            for container in pod.beside:
                self._start_beside(pod, container, beside, staying)
            return await self._container(pod, pod.primary)
        finally:
            self._stop(staying, SIDECAR_GRACE)
            if beside:
                await asyncio.wait(beside)

    def _start_beside(
        self,
        pod: Pod,
        container: Container,
        beside: list[asyncio.Task[Exit]],
        staying: list[_Process],
    ) -> None:
        process, streams = self._launch(pod, container)
        staying.append(process)
        beside.append(asyncio.create_task(self._follow(process, streams)))

    async def _container(self, pod: Pod, container: Container) -> Exit:
        if self._grace is not None:
            return Exit(143, ended_by_us=True)
        process, streams = self._launch(pod, container)
        return await self._follow(process, streams)

    def _launch(self, pod: Pod, container: Container) -> tuple[_Process, Streams]:
        decides = pod is self._prepared.plan.pods[0] and container is pod.primary
        name = "" if decides else f"{pod.role}-{pod.index}.{container.name}"
        command = self._prepared.commands[pod.name, container.name]
        with contextlib.ExitStack() as failed:
            group = self._group(pod, container, command)
            failed.callback(group.remove)
            if group.directories:
                memory = None if group.holds_memory else command.memory
                command = replace(command, cgroups=group.directories, memory=memory)
            streams = Streams(
                {stream: self._log(name, stream) for stream in ("stdout", "stderr")},
                self._output if decides else None,
            )
            failed.callback(streams.abandon)
            on_started = self._tell_started if decides else None
            process = _Process(container, pod.grace, group, on_started, name)
            process.ident = self._processes.start(command, streams.writers, process)
            failed.pop_all()
        self._running.add(process)
        return process, streams

    def _group(self, pod: Pod, container: Container, command: Command) -> Group:
        """Make the group that holds the container's limits; docker and podman do it themselves."""
        if command.undo or (container.limits.memory is None and container.limits.cpu is None):
            return Group()
        name = f"{self.ref.token}-{pod.role}-{pod.index}-{container.name}"
        return make_group(self._places(), name, container.limits)

    async def _follow(self, process: _Process, streams: Streams) -> Exit:
        end = await process.end
        self._running.discard(process)
        if end.over_memory or (end.code and process.group.was_exceeded()):
            end = replace(end, over_memory=True, error=_over_memory(process.container))
        process.group.remove()
        await streams.drained(DRAIN_SECONDS)
        self._cpu += end.cpu_seconds
        self._peak = max(self._peak, end.peak_memory_bytes)
        if not end.code:
            return end
        return replace(end, whose=process.name, last_errors=self._last_errors(process.name))

    def _tell_started(self, pid: int, started_at: float) -> None:
        if not self._is_started:
            self._is_started = True
            self._on_change(Started(self.ref, pid, started_at, time.time()))

    def _output(self, stream: str, data: bytes) -> None:
        tail = self._tails.setdefault(stream, bytearray())
        tail += data
        if len(tail) > 2 * KEPT:  # seldom, so that many short lines cost little
            del tail[:-KEPT]
        self._on_change(Output(self.ref, stream, data, time.time()))

    def _last_errors(self, name: str) -> bytes:
        """Return the end of a container's stderr; of one that is not followed, from its file."""
        if not name:
            return bytes(self._tails.get("stderr", b""))
        with contextlib.suppress(OSError), self._log(name, "stderr").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - SHOWN))
            return file.read()
        return b""

    def _log(self, name: str, stream: str) -> Path:
        prefix = f"{name}." if name else ""
        return self._workload.directory / f"{prefix}{stream}.{self.ref.attempt}.log"


def _own_end(end: Exit) -> tuple[EndReason, int | None, str]:
    if end.code == 0:
        return EndReason.COMPLETED, 0, end.told
    if end.over_memory:
        return EndReason.OUT_OF_MEMORY, end.code, end.told
    if end.code is not None:
        whose = f"{end.whose}: " if end.whose else ""
        return EndReason.FAILED, end.code, whose + end.told + _last_lines(end.last_errors)
    return EndReason.LOST if end.is_lost else EndReason.REFUSED, None, end.error


def _over_memory(container: Container) -> str:
    limits = (container.document.get("resources") or {}).get("limits") or {}
    return (
        f"container {container.name} needed more than its {limits.get('memory')}; raise its"
        " resources.limits.memory, or reduce what it needs"
    )


def _last_lines(errors: bytes) -> str:
    """Return the last lines of stderr, for a message that shows what went wrong."""
    last = errors[-SHOWN:].decode("utf-8", "replace").splitlines()[-10:]
    return ":\n" + "\n".join(last) if last else ""
