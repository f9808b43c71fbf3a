"""Checkpoints of trials on this machine: where they lie, and how a child gets its parent's.

A child starts with a copy of its parent's directory. The copy is made under a
temporary name and renamed, so that a directory under its own name is whole:
whoever was killed in between begins the copy again, and whoever finds it there
leaves it alone. What a trial itself wrote is never overwritten.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..api.checkpoint import Checkpoint
from ..api.errors import StoreUnwritable

DIRECTORY = "TUNEWRIGHT_CHECKPOINT_DIR"
RESUME_FROM = "TUNEWRIGHT_RESUME_FROM"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the checkpoint of one run of a trial lies (`own`), and where the trial sees it."""

    own: Path
    seen: Path

    @classmethod
    def of(cls, checkpoint: Checkpoint, directory: Path, run: int) -> "Places":
        """Return those of a trial's directory; each run of a repeated point has its own."""
        own = directory / _name(run)
        return cls(own, Path(checkpoint.path) if checkpoint.path else own)

    @property
    def mounts(self) -> tuple[tuple[Path, Path], ...]:
        """What must be mounted so that the trial sees it."""
        return () if self.own == self.seen else ((self.own, self.seen),)


def restore(places: Places, parent: Path | None) -> Mapping[str, str]:
    """Make the checkpoint's directory ready; return the variables that tell of it.

    `parent` is the directory of the trial that this one continues. The first
    variable is always there, the second where there is something to go on from: what
    an attempt before left, or the parent did.

    Raises:
        StoreUnwritable: it cannot be copied.
    """
    try:
        inherited = None if parent is None else parent / _name(0)
        if inherited is not None and inherited.is_dir() and not places.own.exists():
            part = places.own.with_name(f"{places.own.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(inherited, part, symlinks=True, ignore=_no_files)
            part.rename(places.own)
        places.own.mkdir(parents=True, exist_ok=True)
        is_empty = next(places.own.iterdir(), None) is None
    except OSError as error:
        raise StoreUnwritable(
            f"a trial's checkpoint cannot be prepared: {_words_of(error)}; "
            "free some space or fix its permissions"
        ) from error
    told = {DIRECTORY: str(places.seen)}
    return told if is_empty else {**told, RESUME_FROM: str(places.seen)}


def _no_files(folder: str, names: Iterable[str]) -> Collection[str]:
    """Return the sockets, pipes and the like: they belong to a program that has ended."""
    found = {name: Path(folder, name) for name in names}
    return [
        name
        for name, path in found.items()
        if not (path.is_symlink() or path.is_dir() or path.is_file())
    ]


def _words_of(error: OSError) -> str:
    """Say what is wrong; of all that a copy lacks, the first."""
    first = error.args[0] if isinstance(error, shutil.Error) else None
    return str(first[0][2] if isinstance(first, list) else error)


def remove(directory: Path) -> None:
    """Remove what the runs of a trial wrote as their checkpoints; what cannot be removed stays."""
    for found in (*directory.glob(_name(0)), *directory.glob(_name(0) + "-[0-9]*")):
        shutil.rmtree(found, ignore_errors=True)


def _name(run: int) -> str:
    return f"checkpoint-{run}" if run else "checkpoint"
