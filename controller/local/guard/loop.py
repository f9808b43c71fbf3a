"""The guard: starts the processes of all trials, and ends them when the engine has gone.

It runs as a program of its own, so it imports little, and nothing from outside of
its folder. It is a child subreaper: whatever a trial
leaves behind becomes the guard's child, a daemon with a session of its own
included. The socket FD joins it to the engine; when that closes, for whatever
reason, the guard ends everything and leaves.

Each message is a marshalled tuple behind its length. From the engine:

    (run, id, executable, argv, variables, cwd, extras)   with two descriptors: stdout, stderr
    (stop, id, grace)      SIGTERM, and SIGKILL after `grace` seconds

A process gets the guard's own environment, and the `variables` on top of it.
`extras` may hold `cgroups` (directories to join), `binds` (pairs of directories
to bind in a mount namespace), `memory` (bytes; ended above) and `undo` (the
argument list of a command that ends what lives outside the process tree).
Back to it:

    (started, id, pid, start time)
    (failed, id, errno, message)
    (ended, id, wait status, CPU seconds, peak bytes, signalled by us, over its memory)
"""

import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import Any, NoReturn

from .kernel import (
    TOKEN,
    become_subreaper,
    enter_namespace,
    own_children,
    parents,
    resident,
    send_signal,
    start_time,
    stat_fields,
    token_of,
)
from .process import Process

FAREWELL_SECONDS = 3.0  # between SIGTERM and SIGKILL when the engine has gone
UNKILLABLE_SECONDS = 10.0  # what SIGKILL has not ended by then, nothing will
HOLD_SECONDS = 0.02  # that news may wait to be told together with more of it
WATCH_SECONDS = 0.1  # between two looks at the memory of a tree
LONGEST_MS = 2**31 - 1  # that poll can wait
DEFAULTED = [signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ]
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class Guard:
    """The loop between the socket, the children and the clock."""

    def __init__(self, channel: socket.socket) -> None:
        channel.set_inheritable(False)  # a trial that held it would hide the guard's own end
        self.channel = channel
        self.inbox = b""
        self.outbox = b""
        self.tell_at: float | None = None  # when what is in the outbox has waited long enough
        self.descriptors: list[int] = []
        self.processes: dict[int, Process] = {}  # by the engine's id
        self.by_pid: dict[int, Process] = {}
        self.undoing: set[int] = set()
        self.environ = dict(os.environb)
        self.null = os.open(os.devnull, os.O_RDONLY)
        self.libc = ctypes.CDLL(None, use_errno=True)
        become_subreaper(self.libc)
        self.waker, wake = os.pipe()
        for end in (self.waker, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.leaving = False
        signal.signal(signal.SIGTERM, self.leave)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def leave(self, *_: object) -> None:
        self.leaving = True

    # Words with the engine.

    def note(self, *message: Any) -> None:
        """Have something to tell that may wait for more: each telling wakes the engine."""
        data = marshal.dumps(message)
        self.outbox += struct.pack("!I", len(data)) + data
        self.tell_at = self.tell_at or time.monotonic() + HOLD_SECONDS

    def tell(self, *message: Any) -> None:
        self.note(*message)
        self.flush()

    def flush(self) -> None:
        outbox, self.outbox, self.tell_at = self.outbox, b"", None
        with contextlib.suppress(OSError):  # it has gone: the end of the socket tells
            self.channel.sendall(outbox)

    def listen(self) -> bool:
        """Read what has come, and do it; False when the engine has gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.channel, 1 << 16, 64)
        except ConnectionError:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self.descriptors += descriptors
        self.inbox += data
        while len(self.inbox) >= 4:
            (size,) = struct.unpack_from("!I", self.inbox)
            if len(self.inbox) < 4 + size:
                break
            message = marshal.loads(self.inbox[4 : 4 + size])  # noqa: S302 - the engine's own words
            self.inbox = self.inbox[4 + size :]
            (self.run if message[0] == "run" else self.stop)(*message[1:])
        return bool(data)

    # Starting.

    def run(
        self,
        ident: int,
        executable: bytes,
        argv: list[bytes],
        variables: dict[bytes, bytes],
        cwd: bytes,
        extras: dict[str, Any],
    ) -> None:
        environ = {**self.environ, **variables}
        out, err = self.descriptors[:2]
        del self.descriptors[:2]
        try:
            if "cgroups" in extras or "binds" in extras:
                pid = self.fork(executable, argv, environ, cwd, (out, err), extras)
            else:
                pid = self.spawn(executable, argv, environ, cwd, (out, err))
        except (OSError, ValueError) as error:
            where = os.fsdecode(getattr(error, "filename", None) or executable)
            number = getattr(error, "errno", None) or 0
            self.tell("failed", ident, number, f"{where}: {words_of(error)}")
            return
        finally:
            os.close(out)
            os.close(err)
        process = Process(
            ident, pid, variables.get(TOKEN, b""), extras.get("memory"), extras.get("undo")
        )
        self.processes[ident] = process
        self.by_pid[pid] = process
        self.note("started", ident, pid, start_time(pid))

    def spawn(
        self,
        executable: bytes,
        argv: list[bytes],
        environ: dict[bytes, bytes],
        cwd: bytes,
        streams: tuple[int, int],
    ) -> int:
        os.chdir(cwd)
        return os.posix_spawn(
            executable,
            argv,
            environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self.null, 0),
                (os.POSIX_SPAWN_DUP2, streams[0], 1),
                (os.POSIX_SPAWN_DUP2, streams[1], 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=DEFAULTED,
        )

    def fork(
        self,
        executable: bytes,
        argv: list[bytes],
        environ: dict[bytes, bytes],
        cwd: bytes,
        streams: tuple[int, int],
        extras: dict[str, Any],
    ) -> int:
        """Start a process that has to do something before it becomes the program."""
        verdict, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            self.become(executable, argv, environ, cwd, streams, extras, report)
        os.close(report)
        with open(verdict, "rb") as file:
            failure = file.read()
        if failure:
            os.waitpid(pid, 0)
            number, text = marshal.loads(failure)  # noqa: S302 - written by our own child
            raise OSError(number, text)
        return pid

    def become(
        self,
        executable: bytes,
        argv: list[bytes],
        environ: dict[bytes, bytes],
        cwd: bytes,
        streams: tuple[int, int],
        extras: dict[str, Any],
        report: int,
    ) -> NoReturn:
        try:
            os.setsid()
            for directory in extras.get("cgroups", ()):
                with open(os.path.join(directory, b"cgroup.procs"), "wb", buffering=0) as file:
                    file.write(b"0")
            if extras.get("binds"):
                enter_namespace(self.libc, extras["binds"])
            os.chdir(cwd)
            for number, descriptor in enumerate((self.null, *streams)):
                os.dup2(descriptor, number)
            signal.set_wakeup_fd(-1)
            for each in DEFAULTED:
                signal.signal(each, signal.SIG_DFL)
            os.execve(executable, argv, environ)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or 0
            os.write(report, marshal.dumps((number, words_of(error))))
        finally:
            os._exit(127)

    # Ending.

    def stop(self, ident: int, grace: float) -> None:
        process = self.processes.get(ident)
        if process is None:
            return
        deadline = time.monotonic() + grace
        process.kill_at = min(deadline, process.kill_at or deadline)
        if process.status is None:
            process.signalled = True
            if grace > 0:
                send_signal(process.pid, signal.SIGTERM, group=True)
                send_signal(process.pid, signal.SIGCONT, group=True)

    def kill(self, process: Process) -> None:
        process.kill_at = None
        if process.status is None:
            process.signalled = True
            send_signal(process.pid, signal.SIGKILL, group=True)
            self.undo(process)

    def undo(self, process: Process) -> None:
        if process.undo:
            with contextlib.suppress(OSError):
                pid = os.posix_spawnp(process.undo[0], process.undo, os.environ, setsid=True)
                self.undoing.add(pid)

    def reap(self) -> None:
        """Take the status of every child that has ended, and end what it left behind."""
        while True:
            try:
                # The pid stays taken until the group it leads has been told to end.
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if seen is None:
                break
            process = self.by_pid.pop(seen.si_pid, None)
            if process is not None:
                send_signal(seen.si_pid, signal.SIGKILL, group=True)
            _, status, usage = os.wait4(seen.si_pid, 0)
            self.undoing.discard(seen.si_pid)
            if process is not None:
                process.status = status
                process.give_up_at = time.monotonic() + UNKILLABLE_SECONDS
                if process.signalled and process.undo:
                    self.undo(process)
            owner = process or self.owner_of(seen.si_pid)
            if owner is not None:
                owner.orphans.discard(seen.si_pid)
                owner.cpu += usage.ru_utime + usage.ru_stime
                owner.peak = max(owner.peak, usage.ru_maxrss * RSS_UNIT)
        self.sweep()

    def owner_of(self, orphan: int) -> Process | None:
        return next((each for each in self.processes.values() if orphan in each.orphans), None)

    def sweep(self) -> None:
        """End orphans of processes that have ended; report those of which nothing is left."""
        ended = [each for each in self.processes.values() if each.status is not None]
        if not ended:
            return
        strangers = [
            pid for pid in own_children() if pid not in self.by_pid and pid not in self.undoing
        ]
        for pid in strangers:
            self.adopt(pid, ended)
        now = time.monotonic()
        for process in ended:
            process.orphans.intersection_update(strangers)
            if not process.orphans or now > process.give_up_at:
                del self.processes[process.ident]
                self.tell("ended", process.ident, process.status, process.cpu, process.peak,
                          process.signalled, process.over)  # fmt: skip

    def adopt(self, pid: int, ended: list[Process]) -> None:
        """End an orphan if the process it came from has ended.

        Its token tells; one that cleared its environment is known by its
        session, and one that has left that too only when nobody else is there.
        """
        token = token_of(pid)
        owner = self.owner_of(pid)
        if owner is None and token:
            owner = next((each for each in ended if each.token == token), None)
        elif owner is None:
            with contextlib.suppress(OSError, IndexError):
                session = int(stat_fields(pid)[3])
                owner = next((each for each in ended if each.pid == session), None)
            if owner is None and len(self.processes) == 1:
                owner = ended[0]
        if owner is not None:
            owner.orphans.add(pid)
            send_signal(pid, signal.SIGKILL, group=False)

    # Watching.

    def watch(self) -> None:
        watched = [each for each in self.by_pid.values() if each.memory is not None]
        if not watched:
            return
        families: dict[int, list[int]] = {}
        for pid, parent in parents().items():
            families.setdefault(parent, []).append(pid)
        strangers = [pid for pid in families.get(os.getpid(), ()) if pid not in self.by_pid]
        tokens = {pid: token_of(pid) for pid in strangers}
        for process in watched:
            limit = process.memory or 0
            tree = [process.pid, *(pid for pid in strangers if tokens[pid] == process.token)]
            for pid in tree:  # it grows as its members' children are found
                tree += families.get(pid, ())
            used = sum(resident(pid, limit) for pid in tree)
            process.peak = max(process.peak, used)
            if used > limit:
                process.over = True
                for pid in tree:
                    send_signal(pid, signal.SIGKILL, group=False)

    # The loop.

    def turn(self, poller: select.poll, timeout: float | None) -> bool:
        """Wait for one thing and do it; False when the engine has gone."""
        now = time.monotonic()
        waits = [each.kill_at - now for each in self.processes.values() if each.kill_at is not None]
        if any(each.status is not None for each in self.processes.values()):
            waits.append(0.2)  # an orphan that another process reaps sends no signal
        if any(each.memory is not None for each in self.by_pid.values()):
            waits.append(WATCH_SECONDS)
        if timeout is not None:
            waits.append(timeout)
        if self.tell_at is not None:
            waits.append(self.tell_at - now)
        ready = poller.poll(min(max(0, min(waits)) * 1000, LONGEST_MS) if waits else None)
        there = True
        for descriptor, _ in ready:
            if descriptor == self.waker:
                os.read(self.waker, 4096)
            else:
                there = self.listen()
        self.reap()
        now = time.monotonic()
        for process in list(self.processes.values()):
            if process.kill_at is not None and now >= process.kill_at:
                self.kill(process)
        self.watch()
        if self.tell_at is not None and now >= self.tell_at:
            self.flush()
        return there

    def serve(self) -> None:
        poller = select.poll()
        poller.register(self.waker, select.POLLIN)
        poller.register(self.channel, select.POLLIN)
        while self.turn(poller, None) and not self.leaving:
            pass
        poller.unregister(self.channel)
        self.channel.close()
        self.end_all(poller)

    def end_all(self, poller: select.poll) -> None:
        for ident in list(self.processes):
            self.stop(ident, FAREWELL_SECONDS)
        until = time.monotonic() + FAREWELL_SECONDS + UNKILLABLE_SECONDS
        while self.processes and time.monotonic() < until:
            self.turn(poller, 0.5)
        while time.monotonic() < until:
            left = [pid for pid in own_children() if pid not in self.undoing]
            for pid in left:
                send_signal(pid, signal.SIGKILL, group=False)
            if not left and not self.undoing:
                return
            self.turn(poller, 0.05)


def words_of(error: OSError | ValueError) -> str:
    """Say what is wrong with a command; what the system cannot even be asked is a ValueError."""
    return str(getattr(error, "strerror", None) or error)


def main(descriptor: int) -> None:
    """Serve the engine at the other end of a socket until it has gone."""
    Guard(socket.socket(fileno=descriptor)).serve()
