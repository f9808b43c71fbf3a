"""Asking quick algorithms on the event loop itself."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..api.history import Entry, Suggestion
from ..api.problem import Problem
from .session import Session

History: TypeAlias = Callable[[int], Sequence[Entry]]
"""Returns entries behind a position, in order, as many as it likes; none at the log's end."""

_BREATH = 500  # entries that are folded before the loop gets its turn


class InlineSuggester:
    """Asks one experiment's algorithm in this thread.

    Right where an answer costs less than handing it to another process would.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._session: Session | None = None

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        """Ask for up to `count` points, made from the log up to `position` and no further."""
        session, self._session = self._session, None  # a fold that fails may have stopped midway
        if session is None or not session.serves(problem) or session.position > position:
            session = Session(problem)
        while session.position < position:
            entries = await asyncio.to_thread(self._history, session.position)
            if not entries:
                break
            await self._observe(session, entries, position)
        suggestion = session.suggest(first_index, count)
        self._session = session
        return suggestion

    async def forget(self) -> None:
        self._session = None

    async def close(self) -> None:
        await self.forget()

    async def _observe(self, session: Session, entries: Sequence[Entry], position: int) -> None:
        for begin in range(0, len(entries), _BREATH):
            part = entries[begin : begin + _BREATH]
            session.observe(entry for entry in part if entry.position <= position)
            if begin + _BREATH < len(entries):
                await asyncio.sleep(0)
