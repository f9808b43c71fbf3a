"""Connections and transactions, and all that differs between the databases.

SQLite: WAL; one connection writes, every writing transaction begins IMMEDIATE
(a deferred one that upgrades fails at once, whatever its timeout), readers
have connections of their own, and so has a writer that cannot wait. PostgreSQL
and MySQL: a pool.

A driver's error leaves here as one of ours: a transaction that lost against
another process is tried again, and whoever still fails sees StoreUnavailable;
a full disk or a read-only file is StoreUnwritable.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from ..api.errors import (
    Fault,
    Invalid,
    MissingExtra,
    NotFound,
    StoreUnavailable,
    StoreUnwritable,
    TunewrightError,
    Unsupported,
)

T = TypeVar("T")

BUSY_SECONDS = 30.0
"""How long SQLite waits for another process's transaction. Ours last milliseconds."""

COPY_FROM = 10
"""From how many rows on PostgreSQL's COPY is worth its round trip."""

TRIES = 5
"""How often a transaction is tried that lost against another: each loss means that one won."""

_DRIVERS = {
    "postgresql": ("psycopg", "postgres"),
    "mysql": ("pymysql", "mysql"),
    "mariadb": ("pymysql", "mysql"),
}

_NETWORK_FILE_SYSTEMS = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "beegfs", "9p"),
    *("gpfs", "pvfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse"),
    *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.juicefs"),
}


class Database:
    """A place where rows are kept. `writer` and `readers` may share their connections.

    `hasty` writes without waiting for anybody; None where a commit has to be waited for.
    """

    def __init__(self, url: str | Path, *, fsync: bool = False) -> None:
        self.url = _url(url)
        self.dialect = self.url.get_backend_name()
        self.place = _named(self.url)
        self.hasty: Engine | None = None
        if self.dialect == "sqlite":
            self.writer, self.readers, self.hasty = _sqlite_engines(self.url, fsync=fsync)
        else:
            self.writer = _server_engine(self.url)
            # Several statements of one reader see one state.
            self.readers = self.writer.execution_options(isolation_level="REPEATABLE READ")
        self._local = threading.local()
        self._at_end: list[AtEnd] = []

    def at_end(self, told: "AtEnd") -> None:
        """Let `told` know of the end of every transaction, in the thread that ran it."""
        self._at_end.append(told)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Begin a writing transaction, or join the one of this thread's group."""
        joined = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._settled(), self._our_errors(), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def group(self) -> Iterator[None]:
        """Make every transaction of this thread inside it one."""
        with self._grouped(self.writer):
            yield

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Begin a group, unless that had to be waited for."""
        if self.hasty is None:
            raise StoreUnavailable("this store is waited for")
        with self._grouped(self.hasty):
            yield

    @contextmanager
    def _grouped(self, writer: Engine) -> Iterator[None]:
        if getattr(self._local, "connection", None) is not None:
            yield
            return
        with self._settled(), self._our_errors(), writer.begin() as connection:
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one consistent state; inside a group, the group's own."""
        joined = getattr(self._local, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._settled(), self._our_errors(), self.readers.begin() as connection:
            yield connection

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
        if getattr(self._local, "connection", None) is not None:
            return work(self._local.connection)
        for tries in range(1, TRIES + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except _LostError:
                if tries == TRIES:
                    raise
                time.sleep(0.01 * 2**tries)
        raise AssertionError

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Let what reads in this thread read through `connection`, and see what it wrote."""
        before = getattr(self._local, "connection", None)
        self._local.connection = connection
        try:
            with self._our_errors():
                yield
        finally:
            self._local.connection = before

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
            if type(error).__module__.partition(".")[0] not in _DRIVERS_MODULES:
                raise
            raise translate(error, self.place) from error

    def close(self) -> None:
        for engine in (self.writer, self.readers, self.hasty):
            if engine is not None:
                engine.dispose()


class AtEnd(Protocol):
    def __call__(self, *, committed: bool) -> None: ...


class _LostError(StoreUnavailable):
    """The transaction lost against another one; the same again may win."""


_DRIVERS_MODULES = ("sqlite3", "psycopg", "pymysql")


class _Meaning(NamedTuple):
    """What some errors of drivers mean: those with such words, of PostgreSQL those of such states.

    It speaks the server's language, and quotes values: its words say nothing.
    """

    words: tuple[str, ...]
    states: tuple[str, ...]
    ours: type[TunewrightError]
    message: str


_MEANINGS = (
    _Meaning(
        ("disk is full", "readonly database", "disk i/o error", "unable to open database"),
        ("53100", "58030"),
        StoreUnwritable,
        "{place}: the store cannot be written: {error}; free some space or fix its permissions",
    ),
    _Meaning(
        ("file is not a database", "database disk image is malformed"),
        (),
        Unsupported,
        "{place}: the store is damaged, or not a database: {error}; restore a copy of it, or name"
        " another with --store or TUNEWRIGHT_HOME",
    ),
    _Meaning(
        ("command denied", "to database '"),
        ("42501",),
        StoreUnwritable,
        "{place}: the store's user lacks a right: {error}; grant it all rights on that database,"
        " in PostgreSQL on its schema too",
    ),
    _Meaning(
        ("foreign key constraint",),
        ("23503",),
        NotFound,
        "what this belongs to was deleted meanwhile: {error}",
    ),
    _Meaning(
        (
            *("database is locked", "deadlock", "lock wait timeout", "(1020,"),
            # Both read that a row is not there; one of them wrote it first.
            *("unique constraint", "duplicate entry"),
        ),
        ("40001", "40P01", "55P03", "23505"),
        _LostError,
        "the store is locked by other processes: {error}",
    ),
)
_AWAY = {"OperationalError", "InternalError", "InterfaceError"}
"""The classes of errors that may be none a moment later, in every driver."""

_THERE = {1050, 1060, 1061}
"""MySQL's numbers of a table, column or index that is there already: no waiting takes it away."""


def translate(error: BaseException, place: str) -> BaseException:
    """Return ours for a driver's error of the store at `place`; a bug of ours stays itself."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "DataError" in kinds:
        return unfit(error)
    said = str(error).lower()
    is_postgres = type(error).__module__.startswith("psycopg")
    state = getattr(error, "sqlstate", None) if is_postgres else None
    for words, states, ours, message in _MEANINGS:
        if state in states if state else any(each in said for each in words):
            # PostgreSQL shows the statement below.
            return ours(message.format(error=str(error).partition("\n")[0], place=place))
    if kinds & _AWAY and not _THERE.intersection(error.args):
        return StoreUnavailable(f"the store does not answer: {error}")
    return error


def unfit(error: BaseException) -> Invalid:
    """Return ours for a value that no column takes."""
    return Invalid([Fault("", f"the store cannot keep this value: {error}")])


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in str(place):
        path = Path(place).expanduser().absolute()
        refuse_network_file_system(path.resolve())
        return URL.create("sqlite", database=str(path))
    url = make_url(str(place))
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _url(Path(_file_of(url, str(place))))
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


def _file_of(url: URL, place: str) -> str:
    if not url.database or url.database == ":memory:" or url.query:
        raise Unsupported(f"{place} names no file: write sqlite:////folder/store.db, or the path")
    return url.database


def refuse_network_file_system(path: Path, mounts: str | None = None) -> None:
    """Refuse a store where SQLite's locks do not hold.

    Raises:
        Unsupported: the path lies on a network file system.
    """
    if mounts is None:
        table = Path("/proc/self/mountinfo")
        mounts = table.read_text(encoding="utf-8") if table.exists() else ""
    kind, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        # Of several at one place the last is what is seen there.
        if len(point) >= longest and path.is_relative_to(point):
            kind, longest = after.split()[0], len(point)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise Unsupported(
            f"{path} lies on a network file system ({kind}), where locks do not hold: "
            "name a local folder with --store or TUNEWRIGHT_HOME, or a database URL"
        )


def _sqlite_engines(url: URL, *, fsync: bool) -> tuple[Engine, Engine, Engine | None]:
    """Return who writes, who reads, and who writes without waiting, even for the disk."""
    synchronous = "FULL" if fsync else "NORMAL"
    opened = _openable(url)
    writer = _sqlite_engine(opened, size=1, more=0, patience=BUSY_SECONDS)
    readers = _sqlite_engine(opened, size=4, more=12, patience=BUSY_SECONDS)
    hasty = _sqlite_engine(opened, size=1, more=0, patience=0.0)
    for engine in (writer, readers, hasty):
        writes = engine is not readers
        event.listen(engine, "connect", _on_connect(synchronous, writes=writes))
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", _on_begin(begin, Path(url.database or "")))
    return writer, readers, None if fsync else hasty


def _sqlite_engine(url: URL, *, size: int, more: int, patience: float) -> Engine:
    return create_engine(
        url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=more,
        pool_timeout=patience,
        connect_args={"timeout": patience, "check_same_thread": False},
    )


def _openable(url: URL) -> URL:
    """Return how to open a file: one that cannot be written is opened to be looked at.

    SQLite needs an index beside it of what is still in its log; where none can be made, a
    file without a log is whole, and taken for one that nobody writes.

    Raises:
        StoreUnwritable: it has a log, and no index can be made.
    """
    path = Path(url.database or "").resolve()
    if not os.access(path, os.F_OK):
        return url
    log, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    has_index = index.exists() or os.access(path.parent, os.W_OK)
    if has_index and os.access(path, os.W_OK):
        return url
    if not has_index and log.exists() and log.stat().st_size:
        raise StoreUnwritable(
            f"{path} cannot be read where nothing can be written, for its last changes are still"
            f" in {log.name}: copy both to a folder that can be written, and name it with --store"
        )
    how = {"mode": "ro"} if has_index else {"immutable": "1"}
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"uri": "true", **how})


def _on_connect(synchronous: str, *, writes: bool) -> Callable[[sqlite3.Connection, Any], None]:
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are ours to begin
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        else:
            connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA temp_store = MEMORY")

    return prepare


def _on_begin(statement: str, path: Path) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        raw, found = connection.connection, _identity(path)
        if raw.info.setdefault("file", found) != found:
            raise StoreUnwritable(
                f"{path} was moved, removed or replaced while it was in use: put it back, or begin"
                " again"
            )
        raw.cursor().execute(statement)

    return begin


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a file from one that stands in its place later."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _server_engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    return create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        pool_pre_ping=True,
        pool_recycle=3600,
        isolation_level="READ COMMITTED",
    )
