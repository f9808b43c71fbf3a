"""What changes, told to everybody who watches: one reader for each thing that is watched."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool

from ..api.errors import NotFound, TunewrightError
from ..api.identity import ExperimentKey
from ..db.listing import Feed
from ..db.records import EventRow, ExperimentRecord
from ..sdk import shapes
from ..sdk.plain import encoded
from .access import OWNER, Asker
from .board import Board

_LOOK_SECONDS = 0.5
_EXPLAIN_SECONDS = 3.0
_EVENTS = 200
_QUIET_SECONDS = 15.0
"""After so long a comment is sent, so that nobody between takes the connection for dead."""
_BEHIND = 16
"""Messages that wait for a watcher; who is further behind is sent away, and comes again."""


class Seen(Protocol):
    """Remembers what was last told of something, to tell what changed. For one thread at a time."""

    def change(self) -> dict[str, Any] | None:
        """Return what is new; None when nothing is."""
        ...


@dataclass(slots=True, eq=False)
class _Watch:
    """Something that somebody watches: an experiment or (None) the list of those one may see."""

    key: ExperimentKey | None
    asker: Asker
    queues: set[asyncio.Queue[bytes | None]] = field(default_factory=set)
    reader: asyncio.Task[None] | None = None


class Live:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._watches: dict[tuple[ExperimentKey | None, Asker], _Watch] = {}

    async def messages(
        self, key: ExperimentKey | None, asker: Asker = OWNER
    ) -> AsyncIterator[bytes]:
        """Yield server-sent events (`change`, `trouble`, `gone`) until an experiment is gone.

        Without a key they are of the list of those that `asker` may see, which never is.
        """
        watch = self._watches.setdefault((key, asker), _Watch(key, asker))
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
        if self._watches.get((watch.key, watch.asker)) is watch:
            del self._watches[watch.key, watch.asker]

    async def _read(self, watch: _Watch) -> None:
        """Look again and again; whatever ends it, nobody is left waiting."""
        try:
            await self._look(watch)
        finally:
            _tell(watch, None)
            self._forget(watch)

    async def _look(self, watch: _Watch) -> None:
        """Tell what changed, until the experiment is gone."""
        seen: Seen = Overview(self._board.seen_by(watch.asker))
        if watch.key is not None:
            seen = View(self._board, watch.key)
        while True:
            try:
                change = await run_in_threadpool(seen.change)
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


class Overview:
    """The list of experiments; `more` says that too many changed to tell each."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._feed: Feed | None = None

    def change(self) -> dict[str, Any] | None:
        self._feed = self._feed or self._board.feed()
        changed = self._feed.read()
        records = [each for each in changed.records if self._board.shows(each.key.namespace)]
        if not (records or changed.gone or changed.more):
            return None
        return {
            "experiments": [self._board.row(record) for record in records],
            "gone": list(changed.gone),
            "more": changed.more,
        }


class View:
    """One experiment: its state, why, its trials and its events."""

    def __init__(self, board: Board, key: ExperimentKey) -> None:
        self._board = board
        self._key = key
        self._uid: str | None = None
        self._position = -1
        self._told: Any = None
        self._said: list[str] = []
        self._events: list[EventRow] = []
        self._explained = 0.0

    def change(self) -> dict[str, Any] | None:
        """Return what is new.

        `since` is the position of the log that the trials' changes follow.

        Raises:
            NotFound: it is gone, though another may have its name by now.
        """
        record = self._board.experiment(self._key.namespace, self._key.name)
        if self._uid not in {None, record.uid}:
            raise NotFound(f"another experiment is called {self._key.name} now")
        self._uid = record.uid
        table = self._board.table(record)
        happened: list[EventRow] = []
        if time.monotonic() - self._explained > _EXPLAIN_SECONDS:
            happened = self._explain(record)
        since, first = self._position, self._position < 0
        columns = table.columns(table.position if first else since)
        shown = shapes.experiment(record)  # its goal may have changed
        conditions = shapes.conditions(record)
        told = (
            shown | {"active_seconds": None},
            *(conditions, columns["trials"], self._said, table.position),
        )
        if told == self._told and not happened:
            return None
        self._told, self._position = told, table.position
        driven = self._board.source.is_driven(record)
        return {
            "since": table.position if first else since,
            "experiment": shown,
            "driven": driven,
            "says": self._said,
            "conditions": conditions,
            "events": [shapes.event(each) for each in happened],
            **columns,
        }

    def _explain(self, record: ExperimentRecord) -> list[EventRow]:
        """Read why it is where it is, and what happened since this was read last."""
        self._said = list(self._board.source.explain(record))
        events = list(self._board.source.records.events(record.uid, limit=_EVENTS))
        known = set(self._events)
        happened = [event for event in events if event not in known]
        self._events = events
        self._explained = time.monotonic()
        return happened


def _tell(watch: _Watch, message: bytes | None) -> None:
    for queue in tuple(watch.queues):
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            message = None
        queue.put_nowait(message)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encoded(data))
