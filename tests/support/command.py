"""The real command, in a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .forked import Forked, Stream, herd

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-m", "tunewright"]
"""`tunewright`, without the current folder, where a file may have the name of a library."""
IN_TERMINAL = [
    *(sys.executable, "-c"),
    "import pty, signal as s, sys; s.signal(s.SIGINT, s.SIG_DFL); pty.spawn(sys.argv[1:])",
]
"""Before a command: it has a terminal of its own, joined to our input and output. Ctrl-C reaches it
also where the tests run behind another job, for whom a shell lets it be ignored."""


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


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """`tunewright` as somebody who has nothing but `folder`: a home, and where they are.

    `site` is a folder of further packages.
    """

    folder: Path
    site: Path | None = None

    @property
    def environ(self) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        first = [] if self.site is None else [str(self.site)]
        package = str(ROOT / ".types")
        path = os.pathsep.join(filter(None, [*first, package, inherited.pop("PYTHONPATH", "")]))
        return {
            **inherited,
            "PYTHONPATH": path,
            "HOME": str(self.folder),
            "TUNEWRIGHT_HOME": str(self.folder / "home"),
            "COLUMNS": "120",
        }

    def __call__(
        self,
        *words: object,
        stdin: str = "",
        cwd: Path | None = None,
        env: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        timeout: float = 60,
    ) -> Result:
        environ = {**self.environ, **dict(env)}
        done = herd(environ["PYTHONPATH"]).run(
            [*map(str, words)],
            cwd=cwd or self.folder,
            env=environ,
            stdin=stdin,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *words: object,
        cwd: Path | None = None,
        env: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        stderr: Stream = subprocess.PIPE,
    ) -> Forked:
        environ = {**self.environ, **dict(env)}
        return herd(environ["PYTHONPATH"]).start(
            [*map(str, words)],
            cwd=cwd or self.folder,
            env=environ,
            stderr=stderr,
        )
