"""Steps of a migration that may be taken again.

MySQL keeps each of them at once, whatever becomes of the migration: one that broke off goes
on with what is not there yet. The other databases keep all of a migration or nothing.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem


def create_table(name: str, *parts: SchemaItem, **options: Any) -> None:
    if not _there().has_table(name):
        op.create_table(name, *parts, **options)


def create_index(name: str, table: str, columns: Sequence[str]) -> None:
    if not _there().has_index(table, name):
        op.create_index(op.f(name), table, columns)


def add_column(table: str, column: sa.Column[Any]) -> None:
    if not any(each["name"] == column.name for each in _there().get_columns(table)):
        op.add_column(table, column)


def _there() -> sa.Inspector:
    return sa.inspect(op.get_bind())
