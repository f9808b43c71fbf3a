"""The real command, in a home of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .forked import herd

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tunewright"]
IN_TERMINAL = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
"""Before a command: it has a terminal of its own, joined to our input and output."""


def environment(home: Path) -> dict[str, str]:
    """Return ours, with a home of its own, the tree's own package, and no terminal."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    package = str(ROOT / ".types")
    return {
        **os.environ,
        "TUNEWRIGHT_HOME": str(home),
        "PYTHONPATH": package,
        "PATH": path,
        "TERM": "dumb",
        "COLUMNS": "200",
    }


def start(home: Path, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    home: Path, *arguments: str, cwd: Path, seconds: float = 100
) -> subprocess.CompletedProcess[str]:
    env = environment(home)
    return herd(env["PYTHONPATH"]).run(arguments, cwd=cwd, env=env, stdin="", timeout=seconds)


def trials(home: Path, name: str, *, cwd: Path) -> list[dict[str, Any]]:
    """Return the rows of `export`."""
    done = run(home, "export", name, "--format", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows
