"""The store on SQLite, PostgreSQL and MySQL."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.stopping import Evaluator
from .connection import Database
from .devices import Devices
from .experiments import Experiments
from .finding import Finding
from .migrate import upgrade
from .observations import Observations
from .provenance import ProvenanceRows
from .trials import Trials

if TYPE_CHECKING:
    from .store import Store


class SqlStore(Experiments, Trials, Observations, Finding, Devices, ProvenanceRows):
    """All parts together; see `store.Store` for what each call promises."""

    def group(self) -> AbstractContextManager[None]:
        return self._database.group()

    def at_once(self) -> AbstractContextManager[None]:
        return self._database.at_once()

    def close(self) -> None:
        self._database.close()


def open_store(
    place: str | Path, *, evaluator: Evaluator | None = None, fsync: bool = False
) -> "Store":
    """Open the store in a file, or behind a database URL; a missing schema is made.

    `fsync` makes SQLite's commits survive a power cut, at some milliseconds
    each; without it they survive the end of every process.

    Raises:
        StoreUnavailable: the database does not answer.
        StoreUnwritable: the file cannot be made, opened, or brought to this schema.
        Unsupported: the place is on a network file system, or its schema is newer than this
            program.
        MissingExtra: the database's driver is not installed.
    """
    database = Database(place, fsync=fsync)
    try:
        upgrade(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, evaluator)
