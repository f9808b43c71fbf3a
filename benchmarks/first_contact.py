"""First contact: from a clone to best parameters, in commands and seconds.

Everything is new: a home, a folder, an environment that holds a PATH and how pip reaches its index,
and no cache of pip's. What the network brings is in the figure.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
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
WAYS = (
    Way(
        "a clone, as the README says",
        ("git clone --quiet {root} tunewright", "make -C tunewright run"),
        "best: accuracy = ",
    ),
    Way(
        "a package, and a program of one's own",
        (
            "python3 -m venv env",
            "env/bin/pip install --quiet '{root}[local,search]'",
            f"env/bin/tunewright run {_OPTIONS} -- python3 train.py {{{{lr}}}}",
        ),
        "best: loss = ",
    ),
)


def environment(folder: Path) -> dict[str, str]:
    """Return what a new account has."""
    python = Path(sys.base_prefix) / "bin"
    kept = {key: value for key, value in os.environ.items() if key.startswith(KEPT)}
    return {
        **kept,
        "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PIP_NO_CACHE_DIR": "1",
    }


def walked(way: Way, clone: Path) -> list[tuple[str, float]]:
    """Type the commands one after the other; return each with its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(PROGRAM, encoding="utf-8")
        steps = []
        shown = ""
        for command in way.commands:
            typed = command.format(root=shlex.quote(str(clone)))
            began = time.monotonic()
            shown = _type(typed, Path(folder), environment(Path(folder)))
            steps.append((command.format(root="tunewright"), time.monotonic() - began))
        if way.shows not in shown:
            raise RuntimeError(f"{way.who}: no best parameters in\n{shown}")
        return steps


def _type(command: str, folder: Path, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"$ {command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def main(*, quick: bool = False) -> str:
    lines = ["| way in | command | s |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        # Of a clone: what is committed, and nothing that lies about in the checkout.
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for way in WAYS[1:] if quick else WAYS:
            steps = walked(way, clone)
            lines += [f"| {way.who} | `{typed}` | {seconds:.1f} |" for typed, seconds in steps]
            total = sum(seconds for _, seconds in steps)
            lines.append(
                f"| | **{len(steps)} commands to the best parameters** | **{total:.1f}** |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
