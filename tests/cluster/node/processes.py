"""The node's processes: started in sessions of their own, found again, and ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .layout import RUN, STATE
from .say import ClusterError

LOGS = STATE / "logs"
_PROC = Path("/proc")


def start(name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Start a program; its output goes to a log of its own."""
    LOGS.mkdir(parents=True, exist_ok=True)
    RUN.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environ),
            cwd="/",
            start_new_session=True,
        )
    (RUN / f"{name}.pid").write_text(f"{process.pid} {_born(process.pid)}")


def is_alive(name: str) -> bool:
    return _pid(name) is not None


def stop(name: str, patience: float = 20.0) -> None:
    """Ask a program to end, and end it when it does not: the API server waits for a lost etcd."""
    pid = _pid(name)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        if not _ends(name, patience):
            _signal(pid, signal.SIGKILL)
            _ends(name, 10.0)
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def await_(what: str, condition: Callable[[], object], name: str, patience: float = 90.0) -> None:
    """Wait until the condition holds.

    Raises:
        ClusterError: it did not, or the program has ended; the message shows its last lines.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if not is_alive(name):
            raise ClusterError(f"{name} has ended:\n{last_lines(name)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not come about:\n{last_lines(name)}")
        time.sleep(0.1)


def last_lines(name: str) -> str:
    log = LOGS / f"{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(line[:300] for line in text.splitlines()[-15:])


def _pid(name: str) -> int | None:
    """Return the number of a process that we started: one born later is somebody else's."""
    try:
        pid, born = (RUN / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError, ChildProcessError):
        os.waitpid(int(pid), os.WNOHANG)
    return int(pid) if _born(int(pid)) == born else None


def _born(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _ends(name: str, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while is_alive(name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
