"""Processes that an engine before this one left behind, known by their token."""

import os
import signal
import time
from pathlib import Path

TOKEN = b"TUNEWRIGHT_TOKEN="
PATIENCE = 10.0


def end_strays(tokens: frozenset[str]) -> None:
    """End every process that carries one of the tokens, and wait until none is left.

    The guard ends what its engine leaves; this is for a guard that was killed too.
    """
    wanted = {TOKEN + token.encode() for token in tokens if token}
    deadline = time.monotonic() + PATIENCE
    while wanted and time.monotonic() < deadline:
        found = _carriers(wanted)
        if found == []:
            return
        for pid in found or ():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.02)


def _carriers(wanted: set[bytes]) -> list[int] | None:
    """Return who carries one of them; None when nobody can look, for want of a descriptor."""
    try:
        return [pid for pid in _pids() if _carries(pid, wanted)]
    except OSError:
        return None


def _pids() -> list[int]:
    proc = Path("/proc")
    if not (proc / "self").exists():
        return []
    found = {int(each.name) for each in proc.iterdir() if each.name.isdigit()}
    return sorted(found - {os.getpid()})


def _carries(pid: int, wanted: set[bytes]) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return not wanted.isdisjoint(environ.split(b"\0"))
