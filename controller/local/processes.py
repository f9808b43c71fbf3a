"""Processes by way of the guard: the engine's end of the socket.

The guard is started with the first process, and again if it was killed. What
it says comes back through the callbacks of each process, on the event loop.
"""

import asyncio
import contextlib
import errno
import marshal
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

GUARD = (
    "import sys; sys.path.append(sys.argv[1]); from guard.loop import main; main(int(sys.argv[2]))"
)
"""The program of the guard: isolated, without site packages, so that it starts in no time."""
PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}
"""Why a process did not start that may start a moment later: nothing is wrong with its command."""
REMEDIES = {
    errno.ENOEXEC: "name a script's interpreter in its first line (#!/bin/sh), or before it",
    errno.EACCES: "its folder's permissions, or its mount's (noexec), forbid it",
}
"""What to do about a process that cannot be started."""
TOKEN_VARIABLE = "TUNEWRIGHT_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Command:
    """A process to start. `variables` come on top of the guard's environment, as does `token`,
    which it shares with no other process.

    `undo` ends what lives outside the process tree (a container), when the
    process had to be ended.
    """

    executable: str
    argv: Sequence[str]
    variables: Mapping[str, str]
    cwd: str
    token: str
    memory: int | None = None
    cgroups: Sequence[Path] = ()
    binds: Sequence[tuple[str, str]] = ()
    undo: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended, and what its tree used. `code` is a shell's: 128 + n for signal n.

    `whose` names its container, where that is not the one that the trial is known by, and
    `last_errors` is the end of what it wrote to stderr.
    """

    code: int | None
    signal: int | None = None
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    ended_by_us: bool = False
    over_memory: bool = False
    error: str = ""  # it never started, or nobody knows how it ended
    is_lost: bool = False  # the latter, or it may start a moment later
    whose: str = ""
    last_errors: bytes = b""

    @property
    def told(self) -> str:
        """Say it in words."""
        if self.error:
            return self.error
        if self.signal is not None:
            return f"ended by {_name_of(self.signal)}"
        return f"exit code {self.code}"


def _name_of(number: int) -> str:
    """Return the name of a signal; most of the real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Listener(Protocol):
    """Whom a process's news are for. `ended` is the last."""

    def started(self, pid: int, started_at: float) -> None: ...

    def ended(self, end: Exit) -> None: ...


@dataclass(slots=True)
class _Link:
    """One guard: its process, its socket, what is not sent yet, and who listens."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    outbox: deque[tuple[memoryview, tuple[int, ...]]] = field(default_factory=deque)
    inbox: bytearray = field(default_factory=bytearray)
    listeners: dict[int, Listener] = field(default_factory=dict)


class Processes:
    """Starts and ends processes through one guard, which hands its own `environ` down to them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, environ: Mapping[str, str]) -> None:
        self._loop = loop
        self._environ = environ
        self._link: _Link | None = None
        self._next = 0

    def start(self, command: Command, streams: tuple[int, ...], listener: Listener) -> int:
        """Start a process whose stdout and stderr are `streams`, which are closed here.

        Raises:
            OSError: there is no guard to be had; the streams are as they were.
        """
        link = self._link or self._connect()
        self._next += 1
        extras: dict[str, Any] = {}
        if command.cgroups:
            extras["cgroups"] = [os.fsencode(each) for each in command.cgroups]
        if command.binds:
            extras["binds"] = [(os.fsencode(a), os.fsencode(b)) for a, b in command.binds]
        if command.memory is not None:
            extras["memory"] = command.memory
        if command.undo:
            extras["undo"] = [os.fsencode(each) for each in command.undo]
        variables = {os.fsencode(k): os.fsencode(v) for k, v in command.variables.items()}
        variables[TOKEN_VARIABLE.encode()] = os.fsencode(command.token)
        link.listeners[self._next] = listener
        self._send(
            link,
            (
                "run",
                self._next,
                os.fsencode(command.executable),
                [os.fsencode(each) for each in command.argv],
                variables,
                os.fsencode(command.cwd),
                extras,
            ),
            streams,
        )
        return self._next

    def stop(self, ident: int, grace: float) -> None:
        """Ask a process to end, and end its tree after `grace` seconds."""
        if self._link is not None and ident in self._link.listeners:
            self._send(self._link, ("stop", ident, grace))

    async def close(self) -> None:
        """End everything at once, and wait for it."""
        link, self._link = self._link, None
        if link is None:
            return
        self._loop.remove_reader(link.channel)
        self._loop.remove_writer(link.channel)
        link.channel.close()
        await asyncio.to_thread(link.process.wait)

    def _connect(self) -> _Link:
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as failed:
            failed.callback(ours.close)
            ours.setblocking(False)
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", "-c", GUARD),
                    *(str(Path(__file__).parent), str(theirs.fileno())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=self._environ,
                cwd="/",
                start_new_session=True,
            )
            failed.pop_all()
        self._link = _Link(process, ours)
        self._loop.add_reader(ours, self._receive, self._link)
        return self._link

    def _send(
        self, link: _Link, message: tuple[Any, ...], descriptors: tuple[int, ...] = ()
    ) -> None:
        data = marshal.dumps(message)
        link.outbox.append((memoryview(struct.pack("!I", len(data)) + data), descriptors))
        if len(link.outbox) == 1:
            self._flush(link)

    def _flush(self, link: _Link) -> None:
        while link.outbox:
            data, descriptors = link.outbox[0]
            try:
                if descriptors:
                    sent = socket.send_fds(link.channel, [data], list(descriptors))
                else:
                    sent = link.channel.send(data)
            except BlockingIOError:
                self._loop.add_writer(link.channel, self._flush, link)
                return
            except OSError:
                self._lose(link)
                return
            for descriptor in descriptors:
                os.close(descriptor)
            if sent < len(data):
                link.outbox[0] = (data[sent:], ())
            else:
                link.outbox.popleft()
        self._loop.remove_writer(link.channel)

    def _receive(self, link: _Link) -> None:
        try:
            data = link.channel.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(link)
            return
        link.inbox += data
        while len(link.inbox) >= 4:
            (size,) = struct.unpack_from("!I", link.inbox)
            if len(link.inbox) < 4 + size:
                return
            message = marshal.loads(bytes(link.inbox[4 : 4 + size]))  # noqa: S302 - our own guard's
            del link.inbox[: 4 + size]
            self._deliver(link, message)

    def _deliver(self, link: _Link, message: tuple[Any, ...]) -> None:
        verb, ident, *rest = message
        if verb == "started":
            link.listeners[ident].started(*rest)
            return
        listener = link.listeners.pop(ident)
        if verb == "failed":
            number, error = rest
            remedy = f"; {REMEDIES[number]}" if number in REMEDIES else ""
            listener.ended(Exit(None, error=error + remedy, is_lost=number in PASSING))
            return
        status, cpu, peak, signalled, over = rest
        code = os.waitstatus_to_exitcode(status)
        listener.ended(
            Exit(
                code if code >= 0 else 128 - code,
                signal=-code if code < 0 else None,
                cpu_seconds=cpu,
                peak_memory_bytes=peak,
                ended_by_us=signalled,
                over_memory=over,
            )
        )

    def _lose(self, link: _Link) -> None:
        """Go on without a guard that was killed: nobody knows how its processes ended."""
        if self._link is link:
            self._link = None
        self._loop.remove_reader(link.channel)
        self._loop.remove_writer(link.channel)
        link.channel.close()
        for _, descriptors in link.outbox:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        link.outbox.clear()
        link.process.wait()
        listeners, link.listeners = link.listeners, {}
        for listener in listeners.values():
            listener.ended(Exit(None, error="the guard of this run was killed", is_lost=True))
