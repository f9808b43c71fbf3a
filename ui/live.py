"""What changes, told to everybody who watches: one reader an experiment, however many watch."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from ..api.errors import NotFound, TunewrightError
from ..api.identity import ExperimentKey
from ..sdk import shapes
from ..sdk.plain import plain
from .board import Board

_LOOK_SECONDS = 0.5
_EXPLAIN_SECONDS = 3.0
_QUIET_SECONDS = 15.0
"""After so long a comment is sent, so that nobody between takes the connection for dead."""
_BEHIND = 16
"""Messages that wait for a watcher; who is further behind is sent away, and comes again."""


@dataclass(slots=True, eq=False)
class _Watch:
    """An experiment that somebody watches."""

    key: ExperimentKey
    queues: set[asyncio.Queue[bytes | None]] = field(default_factory=set)
    reader: asyncio.Task[None] | None = None


class Live:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._watches: dict[ExperimentKey, _Watch] = {}

    async def messages(self, key: ExperimentKey) -> AsyncIterator[bytes]:
        """Yield server-sent events (`change`, `gone`) until the experiment is gone."""
        watch = self._watches.setdefault(key, _Watch(key))
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_BEHIND)
        watch.queues.add(queue)
        if watch.reader is None:
            watch.reader = asyncio.create_task(self._read(watch))
        try:
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    return
                yield message
        finally:
            watch.queues.discard(queue)
            if not watch.queues:
                self._end(watch)

    def _end(self, watch: _Watch) -> None:
        if watch.reader is not None:
            watch.reader.cancel()
        self._forget(watch)

    def _forget(self, watch: _Watch) -> None:
        """Let who comes next begin anew."""
        if self._watches.get(watch.key) is watch:
            del self._watches[watch.key]

    async def _read(self, watch: _Watch) -> None:
        """Look again and again; whatever ends it, nobody is left waiting."""
        try:
            await self._look(watch)
        finally:
            _tell(watch, None)
            self._forget(watch)

    async def _look(self, watch: _Watch) -> None:
        """Tell what changed, until the experiment is gone."""
        view = View(self._board, watch.key)
        while True:
            try:
                change = await run_in_threadpool(view.change)
            except NotFound:
                _tell(watch, _event("gone", {}))
                return
            except TunewrightError as error:  # a database that is away comes again
                _tell(watch, _event("trouble", {"message": str(error)}))
                await asyncio.sleep(_EXPLAIN_SECONDS)
                continue
            if change is not None:
                _tell(watch, _event("change", change))
            await asyncio.sleep(_LOOK_SECONDS)


class View:
    """What was told of an experiment last. One thread at a time."""

    def __init__(self, board: Board, key: ExperimentKey) -> None:
        self._board = board
        self._key = key
        self._position = -1
        self._told: Any = None
        self._said: list[str] = []
        self._explained = 0.0

    def change(self) -> dict[str, Any] | None:
        """Return what is new; None when nothing is.

        `since` is the position of the log that the trials' changes follow.
        """
        record = self._board.experiment(self._key.namespace, self._key.name)
        table = self._board.table(record)
        if time.monotonic() - self._explained > _EXPLAIN_SECONDS:
            self._said = list(self._board.source.explain(record))
            self._explained = time.monotonic()
        since, first = self._position, self._position < 0
        columns = table.columns(table.position if first else since)
        shown = shapes.experiment(record, table.objective)
        told = (shown | {"active_seconds": None}, columns["trials"], self._said, table.position)
        if told == self._told:
            return None
        self._told, self._position = told, table.position
        driven = self._board.source.is_driven(record)
        return {
            "since": table.position if first else since,
            "experiment": shown,
            "driven": driven,
            "says": self._said,
            **columns,
        }


def _tell(watch: _Watch, message: bytes | None) -> None:
    for queue in tuple(watch.queues):
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            message = None
        queue.put_nowait(message)


def _event(name: str, data: dict[str, Any]) -> bytes:
    text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
