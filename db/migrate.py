"""The schema's versions: made once, under a lock, before anything else is done.

A store that is newer than the program is refused: an older program would read
it wrongly.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, text

from ..api.errors import Unsupported
from .connection import Database

REVISIONS = ("0001",)
"""Every revision, oldest first. The files in `migrations/versions` are these."""

_LOCK = 7_283_910


def upgrade(database: Database) -> None:
    """Bring the schema to this program's version.

    Raises:
        Unsupported: the schema is newer than this program.
    """
    with database.reading() as connection:
        if revision(connection) == REVISIONS[-1]:
            return
    database.write(_upgrade)


def revision(connection: Connection) -> str | None:
    """Return the schema's version, None of an empty database.

    Raises:
        Unsupported: it is one that this program does not know.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in REVISIONS:
        raise Unsupported(
            f"the store has schema {found}, this program knows up to {REVISIONS[-1]}: "
            "update Tunewright, or name another store"
        )
    return found


def _upgrade(connection: Connection) -> None:
    from importlib.resources import files

    from alembic import command
    from alembic.config import Config

    with _alone(connection):
        if revision(connection) == REVISIONS[-1]:
            return
        config = Config()
        config.set_main_option("script_location", str(files(__package__) / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the database's own lock; SQLite's transaction is one already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield
    elif connection.dialect.name in {"mysql", "mariadb"}:
        connection.execute(text("SELECT GET_LOCK('tunewright-schema', 60)"))
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK('tunewright-schema')"))
    else:
        yield
