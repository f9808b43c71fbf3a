"""Where the rooms are put together: a place on this machine, its store, an engine and its ports."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..api.errors import Invalid, Fault
from ..db.store import Store

STORE_FILE = "store.db"


def home_folder() -> Path:
    """Return `$TUNEWRIGHT_HOME`, by default a folder among the user's data."""
    named = os.environ.get("TUNEWRIGHT_HOME")
    if named:
        return Path(named).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser().absolute() / "tunewright"


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and the folder in which its trials' directories, locks and sockets are."""

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
        if path.is_dir():
            path /= STORE_FILE
        return cls(path, path.parent)

    def __str__(self) -> str:
        if isinstance(self.store, Path):
            return str(self.store)
        return _without_password(self.store)

    @contextmanager
    def opened(self, *, fsync: bool = False) -> Iterator[Store]:
        """Open the store for the time of a block."""
        store = self.open(fsync=fsync)
        try:
            yield store
        finally:
            store.close()

    def open(self, *, fsync: bool = False) -> Store:
        from ..db.sql import open_store

        return open_store(self.store, fsync=fsync)

    def occupied(self, uid: str) -> int:
        """Return the bytes that an experiment's directories take."""
        del uid
        return 0


def _without_password(url: str) -> str:
    head, _, tail = url.partition("://")
    login, at, host = tail.rpartition("@")
    user = login.split(":", 1)[0]
    return f"{head}://{user + ':***' if ':' in login else login}{at}{host}"


def require(condition: object, path: str, message: str, remedy: str = "") -> None:
    """Refuse an option's value as a fault like any other.

    Raises:
        Invalid: `condition` does not hold.
    """
    if not condition:
        raise Invalid([Fault(path, message, remedy)])
