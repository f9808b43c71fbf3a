"""First contact: from a clone or a package to best parameters, in commands and seconds.

Everything is new: a home, a folder, an environment that holds a PATH and how pip reaches its index,
and no cache of pip's. What the network brings is in the figure. With the archive of an image that
holds Python and nothing else (TUNEWRIGHT_BARE_IMAGE), the package is also installed in a container
of it, by buildah.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ("PIP_", "SSL_", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy")

PROGRAM = """\
import sys

lr = float(sys.argv[1])
x = 3.0
for epoch in range(1, 11):
    x -= lr * 2 * (x - 1)
    print(f"epoch={epoch} loss={(x - 1) ** 2:.6f}")
"""


@dataclass(frozen=True)
class Way:
    """One way in: what a person types, from the first command to the best parameters."""

    who: str
    commands: Sequence[str]
    shows: str


_OPTIONS = "--param lr=log:1e-3..1 --minimize loss --trials 20"
_PACKAGE = (
    "python3 -m venv env",
    "env/bin/pip install --quiet '{wheel}[local,search]'",
    f"env/bin/tunewright run {_OPTIONS} -- python3 train.py {{{{lr}}}}",
)
CLONE = Way(
    "a clone, as the README says",
    ("git clone --quiet {clone} tunewright", "make -C tunewright run"),
    "best: accuracy = ",
)
PACKAGE = Way("a package, and a program of one's own", _PACKAGE, "best: loss = ")
CONTAINER = Way("the same in a container with Python alone", _PACKAGE, "best: loss = ")

Typing = Callable[[str], str]
"""Types a command in a place, and returns what it prints."""


@dataclass(frozen=True)
class Sources:
    """What a person has: where the repository is, and the package."""

    clone: Path
    wheel: Path

    def fill(self, command: str) -> str:
        return command.format(clone=shlex.quote(str(self.clone)), wheel=self.wheel)

    @staticmethod
    def shown(command: str) -> str:
        return command.format(clone="https://…/tunewright", wheel="tunewright")


@contextmanager
def new_home() -> Iterator[Typing]:
    """A new account of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(PROGRAM, encoding="utf-8")
        yield lambda command: _run(["sh", "-c", command], environment(Path(folder)), folder)


@contextmanager
def container(archive: Path, sources: Sources) -> Iterator[Typing]:
    """A container of an image; certificates and how pip reaches its index come from here."""
    name = _run(["buildah", "from", "--quiet", f"docker-archive:{archive}"]).strip()
    folder = sources.wheel.parent
    (folder / "train.py").write_text(PROGRAM, encoding="utf-8")
    words = ["buildah", "run", "--isolation", "chroot", "--network", "host"]
    for path in (folder, Path("/etc/ssl/certs")):
        words += ["--volume", f"{path}:{path}"]
    for key, value in environment(Path("/root")).items():
        words += ["--env", f"{key}={value}"]
    try:
        yield lambda command: _run([*words, name, "--", "sh", "-c", f"cd {folder}; {command}"])
    finally:
        _run(["buildah", "rm", name])


def environment(home: Path) -> dict[str, str]:
    """Return what a new account has."""
    python = Path(sys.base_prefix) / "bin"
    kept = {key: value for key, value in os.environ.items() if key.startswith(KEPT)}
    return {
        **kept,
        "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PIP_NO_CACHE_DIR": "1",
    }


def walked(way: Way, typing: Typing, sources: Sources) -> list[tuple[str, float]]:
    """Type the commands one after the other; return each with its seconds."""
    steps = []
    printed = ""
    for command in way.commands:
        began = time.monotonic()
        printed = typing(sources.fill(command))
        steps.append((sources.shown(command), time.monotonic() - began))
    if way.shows not in printed:
        raise RuntimeError(f"{way.who}: no best parameters in\n{printed}")
    return steps


def _run(
    words: Sequence[str], environ: Mapping[str, str] | None = None, cwd: str | None = None
) -> str:
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"$ {words[-1]}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


@contextmanager
def gathered() -> Iterator[Sources]:
    """A clone of what is committed, and a wheel of it."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        _run(["git", "clone", "--quiet", str(ROOT), str(clone)])
        copy, wheels = Path(folder) / "copy", Path(folder) / "wheels"
        _run(["git", "clone", "--quiet", str(ROOT), str(copy)])
        _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(copy)])
        yield Sources(clone, next(wheels.glob("*.whl")))


def main(*, quick: bool = False) -> str:
    image = os.environ.get("TUNEWRIGHT_BARE_IMAGE")
    lines = ["| way in | command | s |", "|---|---|---|"]
    with gathered() as sources, ExitStack() as places:
        ways = [(PACKAGE, places.enter_context(new_home()))]
        if not quick:
            ways.insert(0, (CLONE, places.enter_context(new_home())))
        if image:
            ways.append((CONTAINER, places.enter_context(container(Path(image), sources))))
        for way, typing in ways:
            steps = walked(way, typing, sources)
            lines += [f"| {way.who} | `{typed}` | {seconds:.1f} |" for typed, seconds in steps]
            total = sum(seconds for _, seconds in steps)
            lines.append(
                f"| | **{len(steps)} commands to the best parameters** | **{total:.1f}** |"
            )
    busy = os.getloadavg()[2]
    head = f"Downloads are in it; meanwhile {busy:.0f} processes on average wanted a core."
    return "\n".join([head, "", *lines])


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
