"""Which code an experiment's trials run: the commit, whether its tree was changed, the script.

Looked at beside the engine, in a thread of its own: git may take its time, and
no trial waits for it. What has changed counts from the time at which it was
written, so it does not matter how soon it is seen.
"""

import contextlib
import hashlib
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..api.errors import TunewrightError
from ..db.records import Provenance
from ..db.store import Store
from .plan import reasons

LOOK_SECONDS = 1.0
_GIT_SECONDS = 5.0
_LARGEST_SCRIPT = 4 << 20
_STATUS = ("git", "status", "--porcelain=v2", "--branch", "--untracked-files=no")


def script_of(command: Sequence[str], folder: Path) -> Path | None:
    """Return the first file that a command names, the program itself at the last.

    What is large is data, or a program that nobody edits.
    """
    for word in (*command[1:], *command[:1]):
        for name in word.split():
            path = folder / name
            with contextlib.suppress(OSError, ValueError):
                if path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT:
                    return path
    return None


def provenance_of(folder: Path, script: Path | None, environ: Mapping[str, str]) -> Provenance:
    """Look at the code as it is now; what cannot be known stays empty."""
    commit, changed = _tree(folder, environ)
    digest = ""
    if script is not None:
        with contextlib.suppress(OSError):
            digest = hashlib.sha256(script.read_bytes()).hexdigest()
    return Provenance(0.0, commit, changed, "" if script is None else str(script), digest)


def _tree(folder: Path, environ: Mapping[str, str]) -> tuple[str, bool]:
    """Return the commit of a folder's repository, and whether a file of it differs from that."""
    try:
        told = subprocess.run(
            _STATUS,
            cwd=folder,
            env={**environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return "", False
    _, _, commit = next((line for line in told if " branch.oid " in line), "").rpartition(" ")
    if not commit.isalnum():  # "(initial)": there is none yet
        return "", False
    return commit, any(not line.startswith("#") for line in told)


@dataclass(frozen=True, slots=True)
class Witness:
    """Keeps the store's record of an experiment's code true while an engine drives it."""

    store: Store
    uid: str
    folder: Path
    script: Path | None
    environ: Mapping[str, str]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look now, again and again for the time of a block, and once more at its end."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over, time.time()), name="provenance")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event, now: float) -> None:
        watched = [each for each in (self.script, _log_of_head(self.folder)) if each is not None]
        seen, is_last = None, False
        while True:
            found = tuple(_stamps(watched))
            if found != seen:
                with contextlib.suppress(TunewrightError):  # the store is away: the same again
                    self._note(now, found)
                    seen = found
            if is_last:
                return
            is_last, now = over.wait(LOOK_SECONDS), time.time()

    def _note(self, now: float, stamps: Sequence[tuple[int, int]]) -> None:
        """Write down what the code is, unless that is known."""
        found = provenance_of(self.folder, self.script, self.environ)
        known = self.store.provenance(self.uid)
        if not known:
            self.store.note_provenance(self.uid, replace(found, at=now))
            return
        before = known[-1]
        what = _difference(before, found)
        if not what:
            return
        written = max((stamp for stamp, _ in stamps), default=0) / 1e9
        at = written if before.at < written < now else now
        self.store.note_provenance(self.uid, replace(found, at=at))
        why = reasons.CODE_CHANGED
        self.store.add_event(
            self.uid,
            index=None,
            kind="Warning",
            reason=why.name,
            message=why.about(what),
            now=now,
        )


def _difference(before: Provenance, after: Provenance) -> str:
    """Say what changed between two looks."""
    said = []
    if after.commit and before.commit != after.commit:
        said.append(f"the commit, from {before.commit[:12] or 'none'} to {after.commit[:12]}")
    elif before.changed != after.changed:
        said.append("files of the commit's tree")
    if after.digest and (before.script, before.digest) != (after.script, after.digest):
        said.append(after.script)
    return " and ".join(said)


def _stamps(paths: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """Yield time and size of each file; one that is being replaced is looked at next time."""
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.stat()
            yield found.st_mtime_ns, found.st_size


def _log_of_head(folder: Path) -> Path | None:
    """Return the file that git writes to with every commit and checkout."""
    for parent in (folder, *folder.parents):
        place = parent / ".git"
        if place.is_file():  # of a further working tree: it names its folder
            with contextlib.suppress(OSError, UnicodeDecodeError):
                place = parent / place.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        if place.is_dir():
            return place / "logs/HEAD"
    return None
