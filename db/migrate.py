"""The schema's versions: made once, under a lock, before anything else is done.

An empty database gets the tables as they are now; an older one is migrated,
step by step, to the same tables. A store that is newer than the program is
refused: an older program would read it wrongly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, Inspector, MetaData, String, Table, inspect, text

from ..api.errors import StoreUnavailable, StoreUnwritable, Unsupported
from .connection import Database
from .schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision, oldest first. The files in `migrations/versions` are these."""

_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Where Alembic keeps the schema's version."""

_LOCK = 7_283_910


def upgrade(database: Database) -> None:
    """Bring the schema to this program's version.

    Raises:
        Unsupported: the schema is newer than this program.
        StoreUnwritable: it is older, and cannot be changed.
    """
    with database.reading() as connection:
        found = revision(connection, database.place)
        if found == REVISIONS[-1]:
            return
    try:
        database.write(lambda connection: _upgrade(connection, database.place))
    except StoreUnwritable as error:
        if found is None:
            raise
        message = f"{error} (its schema {found} has to become {REVISIONS[-1]} first)"
        raise StoreUnwritable(message) from error


def revision(connection: Connection, place: str) -> str | None:
    """Return the schema's version, None of an empty database.

    Raises:
        Unsupported: it is one that this program does not know.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in REVISIONS:
        raise Unsupported(
            f"{place}: the store has schema {found}, this program knows up to {REVISIONS[-1]}: "
            "update Tunewright, or name another store"
        )
    return found


def _upgrade(connection: Connection, place: str) -> None:
    with _alone(connection):
        found = revision(connection, place)
        if found is None:
            _refuse_others(connection, place)
            _create(connection)
        elif found != REVISIONS[-1]:
            migrate(connection)


def _refuse_others(connection: Connection, place: str) -> None:
    """Leave another program's tables alone: a file with any, on a server those of our names.

    On MySQL those with our columns are of a creation that broke off.
    """
    inspector, dialect = inspect(connection), connection.dialect.name
    there = set(inspector.get_table_names())
    if dialect != "sqlite":
        there &= set(metadata.tables)
    if dialect in {"mysql", "mariadb"}:
        there = {name for name in there if not _has_our_columns(inspector, name)}
    if there:
        raise Unsupported(
            f"{place}: the store is a database of another program"
            f" (it has {', '.join(sorted(there)[:3])}):"
            " name another with --store or TUNEWRIGHT_HOME"
        )


def _has_our_columns(inspector: Inspector, table: str) -> bool:
    found = {column["name"] for column in inspector.get_columns(table)}
    return found == set(metadata.tables[table].columns.keys())


def _create(connection: Connection) -> None:
    # MySQL keeps each table and index at once: a creation that broke off is gone on with.
    is_begun = connection.dialect.name in {"mysql", "mariadb"}
    metadata.create_all(connection, checkfirst=is_begun)
    if is_begun:
        for index in [each for table in metadata.sorted_tables for each in table.indexes]:
            index.create(connection, checkfirst=True)
    _VERSION.create(connection, checkfirst=is_begun)
    connection.execute(_VERSION.insert(), {"version_num": REVISIONS[-1]})


def migrate(connection: Connection) -> None:
    """Take every step from the revision that the database has to this program's."""
    from alembic import command

    command.upgrade(config_of(connection), "head")


def config_of(connection: Connection) -> "Config":
    """Return what Alembic has to know to change the schema through a connection."""
    from importlib.resources import files

    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files(__package__) / "migrations"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the database's own lock; SQLite's transaction is one already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield
    elif connection.dialect.name in {"mysql", "mariadb"}:
        if connection.execute(text("SELECT GET_LOCK('tunewright-schema', 60)")).scalar() != 1:
            raise StoreUnavailable("another process has been changing the schema for a minute")
        try:
            yield
            connection.execute(text("COMMIT"))  # for whoever has the lock next to see
        finally:
            connection.execute(text("SELECT RELEASE_LOCK('tunewright-schema')"))
    else:
        yield
