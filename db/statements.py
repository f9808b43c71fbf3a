"""Statements that are compiled once.

Building a statement, and describing the result of one, costs SQLAlchemy several
times what SQLite needs to run it, and a trial takes some twenty of them. A
`Prepared` one is compiled once for its dialect; from then on it goes to the
driver's own cursor, inside the transaction of the connection. Values go in as
the driver takes them, so an enum is passed as its text.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, insert, update
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

AT_ONCE = 500
"""How many values one statement lists at most, in `IN (…)`: databases have a limit."""


@dataclass(frozen=True, slots=True)
class Result:
    """All rows of a statement, each with its columns as attributes."""

    rows: Sequence[Any]
    rowcount: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def first(self) -> Any:
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any:
        return self.rows[0][0] if self.rows else None


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    order: tuple[str, ...] | None  # of positional parameters; None where they are named
    constants: Mapping[str, Any]
    row: Any  # the class of its rows, None when it has none

    def arguments(self, values: Mapping[str, Any]) -> Any:
        known = {**self.constants, **values} if self.constants else values
        return known if self.order is None else tuple([known[name] for name in self.order])


class Prepared:
    """One statement; every value that differs from call to call is a named `bindparam`."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, connection: Connection, **values: Any) -> Result:
        compiled = self._for(connection)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.text, compiled.arguments(values))
            if compiled.row is None:
                return Result((), cursor.rowcount)
            return Result([compiled.row._make(row) for row in cursor.fetchall()], -1)
        finally:
            cursor.close()

    def many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        compiled = self._for(connection)
        filled = [compiled.arguments(row) for row in rows]
        if not filled:
            return
        cursor = connection.connection.cursor()
        try:
            # psycopg opens a pipeline for many, which costs one row several round trips.
            if len(filled) == 1:
                cursor.execute(compiled.text, filled[0])
            else:
                cursor.executemany(compiled.text, filled)
        finally:
            cursor.close()

    def _for(self, connection: Connection) -> _Compiled:
        known = self._compiled.get(connection.dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=connection.dialect)
            assert isinstance(compiled, SQLCompiler)
            columns = [entry.keyname for entry in compiled._result_columns]
            known = _Compiled(
                text=str(compiled),
                order=tuple(compiled.positiontup or ()) if compiled.positional else None,
                constants={
                    name: value
                    for name, value in compiled.params.items()
                    if not compiled.binds[name].required
                },
                row=namedtuple("Row", columns) if columns else None,  # noqa: PYI024 # dynamic
            )
            self._compiled[connection.dialect.name] = known
        return known


def insert_of(table: Table, *names: str) -> Prepared:
    """Insert the named columns, by default all but a key that the database counts."""
    values: dict[str, Any] = {name: bindparam(name) for name in names or _given(table)}
    return Prepared(insert(table).values(values))


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
