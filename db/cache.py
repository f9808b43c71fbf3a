"""What is read once from the database and then remembered: names, keys, parsed documents.

A transaction may read rows that it wrote itself, and then be rolled back. If what it read were
remembered, it would speak of rows that are not there, or that another transaction wrote under the
same key. So each thread keeps what its transaction has read to itself until it is committed.
"""

import threading
from itertools import islice
from typing import Generic, TypeVar

from .connection import Database

K = TypeVar("K")
V = TypeVar("V")

MOST = 2_000
"""Entries of a cache; the oldest are dropped. Those of deleted rows are never asked for again."""


class Cache(Generic[K, V]):
    """A dictionary that follows the transactions of a database."""

    def __init__(self, database: Database) -> None:
        self._known: dict[K, V] = {}
        self._settling = threading.Lock()
        self._local = threading.local()
        database.at_end(self._settle)

    def get(self, key: K) -> V | None:
        learned = self._learned()
        return learned[key] if key in learned else self._known.get(key)

    def learn(self, key: K, value: V) -> V:
        self._learned()[key] = value
        return value

    def _settle(self, *, committed: bool) -> None:
        """Share what this thread's transaction has read, or forget it."""
        learned = self._learned()
        if committed and learned:
            with self._settling:
                self._known |= learned
                for key in [*islice(self._known, max(0, len(self._known) - MOST))]:
                    del self._known[key]
        learned.clear()

    def _learned(self) -> dict[K, V]:
        found: dict[K, V] | None = getattr(self._local, "learned", None)
        if found is None:
            found = self._local.learned = {}
        return found
