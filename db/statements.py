"""Statements that are compiled once.

Building and caching a statement costs SQLAlchemy several times what SQLite
needs to run it, and a trial takes some twenty of them. A `Prepared` one is
compiled once for its dialect and handed to the driver with its values in
place. Values go in as the driver takes them: no type of SQLAlchemy's changes
them on the way, so an enum is passed as its text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    CursorResult,
    Table,
    bindparam,
    insert,
    update,
)
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """One statement; every value that differs from call to call is a named `bindparam`."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, Mapping[str, Any]]] = {}

    def __call__(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        text, order, constants = self._for(connection)
        known = {**constants, **values}
        return connection.exec_driver_sql(
            text, known if order is None else tuple(known[name] for name in order)
        )

    def many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        text, order, constants = self._for(connection)
        filled = [{**constants, **row} for row in rows]
        if not filled:
            return
        if order is None:
            connection.exec_driver_sql(text, filled)
        else:
            connection.exec_driver_sql(text, [tuple(row[name] for name in order) for row in filled])

    def _for(self, connection: Connection) -> tuple[str, tuple[str, ...] | None, Mapping[str, Any]]:
        known = self._compiled.get(connection.dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=connection.dialect)
            assert isinstance(compiled, SQLCompiler)
            order = tuple(compiled.positiontup or ()) if compiled.positional else None
            known = str(compiled), order, compiled.params
            self._compiled[connection.dialect.name] = known
        return known


def insert_of(table: Table, *names: str) -> Prepared:
    """Insert the named columns, by default all but a key that the database counts."""
    return Prepared(
        insert(table).values({name: bindparam(name) for name in names or _given(table)})
    )


def update_of(table: Table, keys: Iterable[str], names: Iterable[str]) -> Prepared:
    """Set `names` where the columns `keys` have the values of the parameters `key_…`."""
    statement = update(table).values({name: bindparam(name) for name in names})
    for key in keys:
        statement = statement.where(table.c[key] == key_of(table.c[key]))
    return Prepared(statement)


def key_of(column: Column[Any]) -> Any:
    """Return the parameter for a key column: a column's own name would set it."""
    return bindparam(f"key_{column.name}", type_=column.type)


def _given(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.autoincrement is not True]
