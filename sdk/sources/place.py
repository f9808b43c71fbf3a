"""A place on this machine: a store, and the folder of its trials, locks and sockets."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ...api.errors import Conflict, StoreUnwritable
from ...api.identity import ExperimentKey
from ...api.stopping import Evaluator
from ...api.words import counted
from ...db.store import Store
from ..home import home_folder, trials_folder

STORE_FILE = "store.db"
LEAVE_SECONDS = 2.0
"""How long an engine may take to leave whose experiment has ended."""

_SOCKET_LIMIT = 100  # bytes of a Unix socket's path that every system takes
_SHORT = Path("/tmp")  # noqa: S108 # the user's TMPDIR may be too long, and another at the next call


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is, and where on this machine its experiments are driven."""

    store: Path | str
    folder: Path

    @classmethod
    def of(cls, written: str | None) -> "Place":
        """Read `--store`: a database URL or a file; a file's folder is the home of its trials."""
        if written is None:
            folder = home_folder()
            return cls(folder / STORE_FILE, folder)
        if "://" in written:
            return cls(written, home_folder())
        path = Path(written).expanduser().absolute()
        if path.is_dir() or written.endswith("/"):
            path /= STORE_FILE
        return cls(path, path.parent)

    def __str__(self) -> str:
        if isinstance(self.store, Path):
            return str(self.store)
        return _without_password(self.store)

    @property
    def option(self) -> str:
        """What `--store` of another process must say to mean this place."""
        return str(self.store)

    @contextmanager
    def opened(self, *, fsync: bool = False, evaluator: Evaluator | None = None) -> Iterator[Store]:
        """Open the store for the time of a block."""
        from ...db.sql import open_store

        if isinstance(self.store, Path):
            try:
                self.store.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                why = f"{self.store.parent} cannot be created: {error.strerror}"
                raise StoreUnwritable(why) from error
        place = (
            with_password(self.store, "TUNEWRIGHT_STORE_PASSWORD")
            if isinstance(self.store, str)
            else self.store
        )
        store = open_store(place, evaluator=evaluator, fsync=fsync)
        try:
            yield store
        finally:
            store.close()

    # One engine an experiment.

    @contextmanager
    def driving(self, uid: str, *, patience: float = LEAVE_SECONDS) -> Iterator[None]:
        """Hold the experiment's lock for the time of a block; it ends with this process.

        One that leaves is waited for: this thread sleeps, `patience` seconds at most.

        Raises:
            Conflict: another engine has it.
        """
        self._run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock(uid), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _in_a_moment(lambda: _try_lock(descriptor, fcntl.LOCK_EX), patience):
                raise Conflict("another process is running it: `tunewright watch` attaches")
            yield
        finally:
            os.close(descriptor)

    def is_driven(self, uid: str) -> bool:
        """Say whether an engine of this machine drives the experiment, as far as can be seen."""
        try:
            descriptor = os.open(self._lock(uid), os.O_RDONLY)
        except (FileNotFoundError, PermissionError):
            return False
        try:
            # Shared: who looks at the same time is no engine.
            return not _try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def is_left(self, uid: str) -> bool:
        """Say whether no engine drives the experiment, now or in a moment."""
        return _in_a_moment(lambda: not self.is_driven(uid))

    def may_be_driven(self, uid: str) -> bool:
        """Say whether an engine may drive it: of a server's store another machine's may."""
        return isinstance(self.store, str) or self.is_driven(uid)

    def wake(self, uid: str) -> None:
        """Touch the engine; one that is away or busy finds the wish by itself."""
        path = self.socket(uid)
        if path is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(1.0)
            wire.connect(str(path))

    def ask(self, uid: str) -> list[str]:
        """Return what the engine says it waits for; nothing when none is there to answer."""
        path = self.socket(uid)
        if path is None:
            return []
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(2.0)
            wire.connect(str(path))
            lines: list[str] = json.loads(wire.makefile("rb").read())
            return lines
        return []

    def socket(self, uid: str) -> Path | None:
        """Return the path of the engine's socket; a short one where the folder's is too long.

        None where there can be none: who asks or wakes the engine does without.
        """
        path = self._run_folder / f"{uid}.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        folder = _SHORT / f"tunewright-{os.getuid()}"
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return folder / f"{digest}.sock" if _is_made_ours(folder) else None

    def _lock(self, uid: str) -> Path:
        return self._run_folder / f"{uid}.lock"

    @property
    def _run_folder(self) -> Path:
        return self.folder / "run"

    # Directories.

    def log_file(self, uid: str) -> Path:
        """Return where a detached engine writes what it has to say."""
        folder = self.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{uid}.log"

    def trials_folder(self, key: ExperimentKey) -> Path:
        return trials_folder(self.folder, key.namespace, key.name)

    def trial_folder(self, key: ExperimentKey, trial: str) -> Path:
        return self.trials_folder(key) / trial

    def occupied(self, key: ExperimentKey) -> int:
        """Return the bytes that an experiment's directories take."""
        return folder_size(self.trials_folder(key))

    def remove_directories(self, key: ExperimentKey, trials: Iterable[str]) -> list[Path]:
        """Remove the directories of an experiment's trials; return those that stay.

        Those of another one are kept: two stores in a folder may each have one of this name.
        """
        folder = self.trials_folder(key)
        stay = [folder / name for name in trials if not remove_folder(folder / name)]
        if not any(each.is_dir() for each in folder.glob("*")):
            remove_folder(folder)
        return stay

    def remove_traces(self, uid: str) -> None:
        """Remove what the engine of a deleted experiment left."""
        for path in (self._lock(uid), self.socket(uid), self.folder / "logs" / f"{uid}.log"):
            if path is not None:
                path.unlink(missing_ok=True)


def _is_made_ours(folder: Path) -> bool:
    """Make a folder where everybody may; say whether it is this user's, and closed to others.

    Anybody else could listen in it in our engine's stead.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        is_closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        return is_closed and found.st_uid == os.getuid()
    return False


def folder_size(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - os.walk's own form, ten times as fast
    return total


def remove_folder(folder: Path) -> bool:
    """Remove a folder with what is in it, as far as that can be; say whether nothing is left."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def cannot_be_removed(stay: Sequence[Path]) -> str:
    """Say which directories are still there, by one of them."""
    directories = counted(len(stay), "directory")
    return f"{directories} cannot be removed, {stay[0]} for one (remove by hand)"


def _try_lock(descriptor: int, how: int) -> bool:
    """Lock an open file, shared (LOCK_SH) or for us alone (LOCK_EX), without waiting for others.

    Return whether it is locked now.
    """
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_a_moment(happens: Callable[[], bool], patience: float = LEAVE_SECONDS) -> bool:
    """Wait until something happens, `patience` seconds at most; return whether it did."""
    until = time.monotonic() + patience
    while not happens():
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def with_password(url: str, variable: str) -> str:
    """Put a password of the environment into a URL that names a user and no password."""
    password = os.environ.get(variable, "")
    head, _, tail = url.partition("://")
    login, at, host = tail.rpartition("@")
    if not password or not login or ":" in login:
        return url
    return f"{head}://{login}:{quote(password, safe='')}{at}{host}"


def _without_password(url: str) -> str:
    head, _, tail = url.partition("://")
    login, at, host = tail.rpartition("@")
    user = login.split(":", 1)[0]
    return f"{head}://{user + ':***' if ':' in login else login}{at}{host}"
