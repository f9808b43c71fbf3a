"""A driver's errors as ours.

A transaction that lost against another one is a `LostError`, which is tried again. Whoever
still fails sees StoreUnavailable; a full disk or a read-only file is StoreUnwritable.
"""

from typing import NamedTuple

from ..api.errors import (
    Fault,
    Invalid,
    NotFound,
    StoreUnavailable,
    StoreUnwritable,
    TunewrightError,
    Unsupported,
)


class LostError(StoreUnavailable):
    """The transaction lost against another one; tried again, it may win."""


DRIVER_MODULES = ("sqlite3", "psycopg", "pymysql")
"""The packages whose exceptions are a driver's."""


class _Meaning(NamedTuple):
    """What an error of a driver means that has one of these words in its message.

    PostgreSQL's messages are in the server's language and quote values, so that its errors are
    known by their SQLSTATE instead.
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
        LostError,
        "the store is locked by other processes: {error}",
    ),
)
_AWAY = {"OperationalError", "InternalError", "InterfaceError"}
"""The classes of errors, in every driver, that may pass when the same is tried again."""

_THERE = {1050, 1060, 1061}
"""MySQL's codes for a table, column or index that exists already, which no waiting changes."""


def translate(error: BaseException, place: str) -> BaseException:
    """Return our error for a driver's, of the store at `place`; a bug of ours is left as it is."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "DataError" in kinds:
        return unfit(error)
    said = str(error).lower()
    is_postgres = type(error).__module__.startswith("psycopg")
    state = getattr(error, "sqlstate", None) if is_postgres else None
    for words, states, ours, message in _MEANINGS:
        if state in states if state else any(each in said for each in words):
            # The first line: below it PostgreSQL repeats the statement.
            return ours(message.format(error=str(error).partition("\n")[0], place=place))
    if kinds & _AWAY and not _THERE.intersection(error.args):
        return StoreUnavailable(f"the store does not answer: {error}")
    return error


def unfit(error: BaseException) -> Invalid:
    """Return our error for a value that does not fit into its column."""
    return Invalid([Fault("", f"the store cannot keep this value: {error}")])
