"""The processes of the node: started, found again by later commands, and waited for."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .layout import STATE
from .say import ClusterError

LOGS = STATE / "logs"
NUMBERS = STATE / "processes"


def start(name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Start a program; its output goes to a log of its own."""
    LOGS.mkdir(parents=True, exist_ok=True)
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
    note(name, process.pid)


def note(name: str, number: int) -> None:
    """Keep the number of a process, with when it was born: numbers are used again."""
    NUMBERS.mkdir(parents=True, exist_ok=True)
    (NUMBERS / name).write_text(f"{number} {_born(number)}")


def pid(name: str) -> int | None:
    """Return the number of a process of ours that lives."""
    try:
        number, born = (NUMBERS / name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(number) if _born(int(number)) == born else None


def wait(what: str, condition: Callable[[], object], name: str, patience: float = 90.0) -> None:
    """Wait until the condition holds.

    Raises:
        ClusterError: it did not, or the program has ended; the message shows its last lines.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if pid(name) is None:
            raise ClusterError(f"{name} has ended:\n{_last_lines(name)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not come about:\n{_last_lines(name)}")
        time.sleep(0.1)


def _last_lines(name: str) -> str:
    text = (LOGS / f"{name}.log").read_text(errors="replace")
    return "\n".join(line[:300] for line in text.splitlines()[-15:])


def _born(number: int) -> str:
    """Return when a process was born; nothing of one that is gone, or dead and not yet buried."""
    try:
        state, *rest = Path("/proc", str(number), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]
