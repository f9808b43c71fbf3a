"""SQLite: where its file may be, and the connections to it.

The file is in WAL mode. One connection writes, and begins every transaction IMMEDIATE: a
deferred one that becomes a writer fails at once, whatever its timeout. Readers have
connections of their own, and so has a writer that does not wait for the other.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from ..api.errors import StoreUnwritable, Unsupported

BUSY_SECONDS = 30.0
"""How long SQLite waits for another process's transaction. Ours last milliseconds."""

_NETWORK_FILE_SYSTEMS = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "beegfs", "9p"),
    *("gpfs", "pvfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse"),
    *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.juicefs"),
}


def file_of(url: URL, place: str) -> str:
    """Return the file that an URL names, which the user wrote as `place`.

    Raises:
        Unsupported: it names none.
    """
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
        # Of several mounts at one place the last hides the others.
        if len(point) >= longest and path.is_relative_to(point):
            kind, longest = after.split()[0], len(point)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise Unsupported(
            f"{path} lies on a network file system ({kind}), where locks do not hold: "
            "name a local folder with --store or TUNEWRIGHT_HOME, or a database URL"
        )


def engines(url: URL, *, fsync: bool) -> tuple[Engine, Engine, Engine | None]:
    """Return the engines that write, that read, and that write without waiting for anybody.

    There is no such third one where each commit has to wait for the disk.
    """
    synchronous = "FULL" if fsync else "NORMAL"
    opened = _openable(url)
    writer = _engine(opened, size=1, more=0, patience=BUSY_SECONDS)
    readers = _engine(opened, size=4, more=12, patience=BUSY_SECONDS)
    hasty = _engine(opened, size=1, more=0, patience=0.0)
    for engine in (writer, readers, hasty):
        writes = engine is not readers
        event.listen(engine, "connect", _on_connect(synchronous, writes=writes))
        event.listen(engine, "begin", _on_begin(Path(url.database or ""), writes=writes))
        if writes and opened.query:
            event.listen(engine, "begin", _refuse)
    return writer, readers, None if fsync else hasty


def _engine(url: URL, *, size: int, more: int, patience: float) -> Engine:
    return create_engine(
        url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=more,
        pool_timeout=patience,
        connect_args={"timeout": patience, "check_same_thread": False},
    )


def _openable(url: URL) -> URL:
    """Return the URL by which a file is opened; one that cannot be written is opened read-only.

    To read it, SQLite needs an index (`-shm`) of the changes that are still in its log (`-wal`).
    Where it cannot make one, a file without a log is complete, and opened as immutable.

    Raises:
        StoreUnwritable: there is a log, and no index of it can be made.
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


def _on_begin(path: Path, *, writes: bool) -> Callable[[Connection], None]:
    statement = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def begin(connection: Connection) -> None:
        raw, found = connection.connection, _identity(path)
        if raw.info.setdefault("file", found) != found:
            raise StoreUnwritable(
                f"{path} was moved, removed or replaced while it was in use: put it back, or begin"
                " again"
            )
        raw.cursor().execute(statement)

    return begin


def _refuse(_connection: Connection) -> None:
    """Say at once what SQLite says at the first change: much may have been done by then."""
    raise sqlite3.OperationalError("attempt to write a readonly database")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one that takes its place later."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
