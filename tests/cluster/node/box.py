"""The box that the node lives in: namespaces of its own, whose end leaves nothing behind.

Its first process (`first`) ends last: with it the kernel ends every process, mount, interface
and packet rule of the box. What is then left is one folder, and the control groups of pods.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from . import network, processes
from .layout import BOX, GROUP, REPOSITORY, STATE
from .say import ClusterError

_SPACES = ("--mount", "--pid", "--net")
_GROUPS = Path("/sys/fs/cgroup")


def make() -> None:
    """Make the box, and a link from this machine into it.

    Raises:
        ClusterError: the kernel refuses namespaces, or the addresses are another's.
    """
    done = subprocess.run(
        ["unshare", *_SPACES, sys.executable, "-m", "cluster.node.first"],
        cwd=REPOSITORY / "tests",
        check=False,
        capture_output=True,
        text=True,
    )
    first = processes.pid(BOX)
    if done.returncode != 0 or first is None:
        raise ClusterError(f"namespaces cannot be made here:\n{done.stderr[-2000:]}")
    network.link(first)
    for place in _hierarchies():
        (place / GROUP).mkdir(exist_ok=True)


def within(*command: str) -> Sequence[str]:
    """Return the command line that runs a command in the box."""
    return ("nsenter", "--target", str(processes.pid(BOX)), *_SPACES, "--", *command)


def remove() -> None:
    """End the box, whatever is left of it, and what outlives it."""
    first = processes.pid(BOX)
    if first is not None:
        os.kill(first, signal.SIGKILL)
        while processes.pid(BOX) is not None:  # it goes when all others have gone
            time.sleep(0.02)
    network.unlink()
    for place in _hierarchies():
        _remove_group(place / GROUP)
    shutil.rmtree(STATE, ignore_errors=True)


def _hierarchies() -> Sequence[Path]:
    """Find where control groups are made: in one place, or in one for each controller."""
    if (_GROUPS / "cgroup.controllers").exists():
        return (_GROUPS,)
    return [place for place in _GROUPS.iterdir() if (place / "cgroup.procs").exists()]


def _remove_group(top: Path) -> None:
    """Remove a control group, those below it first."""
    below = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
    for group in (*below, top):
        with suppress(FileNotFoundError):
            group.rmdir()
