"""Connections and transactions, and what differs between the databases.

SQLite has connections of its own kind (`sqlite`), PostgreSQL and MySQL a pool each. A driver's
error leaves here as one of ours (`driver_errors`), once a transaction that lost against
another process has been tried again.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..api.errors import MissingExtra, StoreUnavailable, TunewrightError, Unsupported
from . import sqlite
from .driver_errors import DRIVER_MODULES, LostError, translate

T = TypeVar("T")

COPY_FROM = 10
"""The number of rows from which on PostgreSQL's COPY is worth its round trip."""

TRIES = 5
"""How often a transaction is tried that loses against others: whenever one loses, another wins."""

_DRIVERS = {
    "postgresql": ("psycopg", "postgres"),
    "mysql": ("pymysql", "mysql"),
    "mariadb": ("pymysql", "mysql"),
}


class _Local(threading.local):
    connection: Connection | None = None
    """That of the group in which this thread is."""


class Database:
    """The engines of a database, and the transactions on them.

    `writer` and `readers` may share their connections. `hasty` writes without waiting for
    anybody; it is None where each commit waits for a disk or a server.
    """

    def __init__(self, url: str | Path, *, fsync: bool = False) -> None:
        self.url = _url(url)
        self.dialect = self.url.get_backend_name()
        self.place = _named(self.url)
        self.hasty: Engine | None = None
        if self.dialect == "sqlite":
            self.writer, self.readers, self.hasty = sqlite.engines(self.url, fsync=fsync)
        else:
            self.writer = _server_engine(self.url)
            # Several statements of one reader see one state.
            self.readers = self.writer.execution_options(isolation_level="REPEATABLE READ")
        self._local = _Local()
        self._at_end: list[AtEnd] = []

    def at_end(self, told: "AtEnd") -> None:
        """Call `told` at the end of every transaction, in the thread that ran it."""
        self._at_end.append(told)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Begin a writing transaction, or join the one of this thread's group."""
        return self._begun(self.writer)

    def reading(self) -> AbstractContextManager[Connection]:
        """Read one consistent state; inside a group, the group's own."""
        return self._begun(self.readers)

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        joined = self._local.connection
        if joined is not None:
            yield joined
            return
        with self._settled(), self._our_errors(), engine.begin() as connection:
            yield connection

    def group(self) -> AbstractContextManager[None]:
        """Make all transactions of this thread inside the block one."""
        return self._grouped(self.writer)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Begin a group, if that can be done without waiting.

        Raises:
            StoreUnavailable: it cannot: another one writes, or a commit waits for a disk or server.
        """
        if self.hasty is None:
            raise StoreUnavailable("this store is waited for")
        with self._grouped(self.hasty):
            yield

    @contextmanager
    def _grouped(self, writer: Engine) -> Iterator[None]:
        with self._begun(writer) as connection, self._bound(connection):
            yield

    @contextmanager
    def _bound(self, connection: Connection) -> Iterator[None]:
        """Make a connection the one that all calls of this thread inside the block use."""
        before = self._local.connection
        self._local.connection = connection
        try:
            yield
        finally:
            self._local.connection = before

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Read through `connection` inside the block, so as to see what its transaction wrote."""
        with self._bound(connection), self._our_errors():
            yield

    @contextmanager
    def _settled(self) -> Iterator[None]:
        committed = False
        try:
            yield
            committed = True
        finally:
            for told in self._at_end:
                told(committed=committed)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction, again when it lost against another process."""
        if self._local.connection is not None:
            return work(self._local.connection)
        for tries in range(1, TRIES + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except LostError:
                if tries == TRIES:
                    raise
                time.sleep(0.01 * 2**tries)
        raise AssertionError

    def insert_rows(
        self, connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Insert whole rows, in the order of the columns, by the driver's fastest way."""
        if self.dialect == "postgresql" and len(rows) >= COPY_FROM:
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        mark = "?" if self.dialect == "sqlite" else "%s"
        marks = ", ".join([mark] * len(table.columns))
        # S608: names and marks only, no value is in the text.
        statement = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608
        with closing(connection.connection.cursor()) as cursor:
            cursor.executemany(statement, rows)

    def insert_name(self, connection: Connection, table: Table, text: str) -> int:
        """Insert a name that another process may insert at the same moment; return its id."""
        # Imported here: a run on SQLite should not wait for the dialects of the others.
        insert = import_module(f"sqlalchemy.dialects.{self.dialect}").insert
        if self.dialect == "mysql":
            statement = insert(table).prefix_with("IGNORE")
        else:
            statement = insert(table).on_conflict_do_nothing()
        connection.execute(statement, {"text": text})
        return int(connection.execute(select(table.c.id).where(table.c.text == text)).scalar_one())

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except TunewrightError:
            raise
        except PoolTimeout as error:
            raise StoreUnavailable(
                f"the store is locked by another thread of this program: {error}"
            ) from error
        except DBAPIError as error:
            raise translate(error.orig or error, self.place) from error
        except Exception as error:
            # Prepared statements go past SQLAlchemy, and fail with the driver's own errors.
            if type(error).__module__.partition(".")[0] not in DRIVER_MODULES:
                raise
            raise translate(error, self.place) from error

    def close(self) -> None:
        for engine in (self.writer, self.readers, self.hasty):
            if engine is not None:
                engine.dispose()


class AtEnd(Protocol):
    def __call__(self, *, committed: bool) -> None: ...


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in str(place):
        path = Path(place).expanduser().absolute()
        sqlite.refuse_network_file_system(path.resolve())
        return URL.create("sqlite", database=str(path))
    url = make_url(str(place))
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _url(Path(sqlite.file_of(url, str(place))))
    if backend not in _DRIVERS:
        raise Unsupported(
            f"{backend} is not a supported database: name a file, postgresql://… or mysql://…"
        )
    driver, extra = _DRIVERS[backend]
    try:
        __import__(driver)
    except ImportError:
        raise MissingExtra(f"a store on {backend}", extra) from None
    return url.set(drivername=f"{'postgresql' if backend == 'postgresql' else 'mysql'}+{driver}")


def _named(url: URL) -> str:
    """Return what a message calls the store, without its password."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return str(url.database)
    return url.set(drivername=backend).render_as_string()


def _server_engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    return create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        pool_pre_ping=True,
        pool_recycle=3600,
        isolation_level="READ COMMITTED",
    )
