"""The names of metrics and sources, each kept once: rows hold its number."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, select

from ..api.errors import Fault, Invalid
from ..api.observation import LONGEST_NAME, is_metric_name
from .cache import Cache
from .connection import Database
from .schema import names
from .statements import AT_ONCE, Prepared

_ID = Prepared(select(names.c.id).where(names.c.text == bindparam("text")))


class Names:
    """Numbers for names and names for numbers; what was read once is remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: Cache[str, int] = Cache(database)
        self._texts: Cache[int, str] = Cache(database)

    def id_of(self, connection: Connection, text: str) -> int:
        """Return the name's number; a new name gets one.

        Raises:
            Invalid: some database would cut the name, or not take it.
        """
        known = self._ids.get(text)
        if known is None:
            _check(text)
            row = _ID(connection, text=text).scalar()
            if row is None:
                row = self._database.insert_name(connection, names, text)
            known = self._ids.learn(text, int(row))
        return known

    def known(self, connection: Connection, text: str) -> int:
        """Return the name's number, -1 when nothing was ever reported under it."""
        row = _ID(connection, text=text).scalar()
        return -1 if row is None else int(row)

    def texts_of(self, connection: Connection, numbers: Iterable[int]) -> Mapping[int, str]:
        """Return the names of these numbers."""
        found = {number: self._texts.get(number) for number in numbers}
        unread = [number for number, text in found.items() if text is None]
        for start in range(0, len(unread), AT_ONCE):
            some = names.c.id.in_(unread[start : start + AT_ONCE])
            for number, text in connection.execute(select(names.c.id, names.c.text).where(some)):
                found[number] = self._texts.learn(number, text)
        return {number: text for number, text in found.items() if text is not None}


def _check(text: str) -> None:
    if not is_metric_name(text):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        remedy = (
            f"use at most {LONGEST_NAME} characters of Unicode, without NUL or a blank at the end"
        )
        raise Invalid([Fault("metric", f"{shown!a} cannot be kept as a name", remedy)])
