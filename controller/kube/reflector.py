"""A cache that follows the API server, through every kind of interruption.

All there is comes first on the watch itself, or as a list from a server that
cannot send it; then what changes. After a break the watch goes on from the
version it had reached; a version that the server has forgotten means reading
everything again, and what is no longer there is told as deleted. So is a server
that refuses: a definition may be installed, or a role granted, at any time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeAlias

from ...api.errors import Forbidden, Invalid, NotFound, ServerUnavailable, TunewrightError
from .cache import Cache, Key, key_of
from .port import INITIAL_END, Change, Document, Kube, Selection, WatchEvent, version_of

OnChange: TypeAlias = Callable[[Document | None, Document | None], None]
"""Told what was and what is; None before the first and after the last."""

SILENCE = 80.0
"""Seconds without a word after which a watch is dead: bookmarks come every 60."""

_WATCH_SECONDS = 300
_LONGEST_PAUSE = 30.0
_MOST_DOUBLINGS = 10  # by then a pause is the longest, and no double is at its end

_Refusal: TypeAlias = NotFound | Forbidden | Invalid

log = logging.getLogger(__name__)


class Reflector:
    """Keeps `cache` as the server is. `chance` draws from 0 to 1.

    Reflectors of several namespaces may fill one cache.
    """

    def __init__(
        self,
        kube: Kube,
        selection: Selection,
        cache: Cache,
        on_change: OnChange,
        *,
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._selection = selection
        self._cache = cache
        self._on_change = on_change
        self._chance = chance
        self._sleep = sleep
        self._version: str | None = None
        self._sends_all = True  # whether the server sends all there is on the watch
        self._heard = False
        self.synced = asyncio.Event()
        """Set once the cache has held all there was at some moment."""
        self._refusal: _Refusal | None = None
        self._answered = asyncio.Event()

    async def answered(self) -> None:
        """Wait until the cache has held all there was.

        Raises:
            NotFound, Forbidden, Invalid: the server refuses to send it.
        """
        await self._answered.wait()
        if self._refusal is not None:
            raise self._refusal

    async def run(self) -> NoReturn:
        """Follow the server until cancelled."""
        failures = 0
        while True:
            self._heard = False
            try:
                await self._follow()
            except TunewrightError as error:
                failures = 1 if self._heard else failures + 1
                if not isinstance(error, ServerUnavailable):
                    self._version = None
                if isinstance(error, NotFound | Forbidden | Invalid):
                    self._refuse(error)
                await self._sleep(self._pause(failures, error))
            else:
                failures = 0  # the server ends a watch after its time

    def _refuse(self, error: _Refusal) -> None:
        if self._refusal is None:
            log.warning("%s cannot be followed: %s", self._selection.resource.plural, error)
        self._refusal = error
        self._answered.set()

    async def _follow(self) -> None:
        if self._version is None and not self._sends_all:
            await self._list()
        # Replicas that began together should not all come back together.
        seconds = round(_WATCH_SECONDS * (1 + self._chance()))
        try:
            async with self._kube.watch(
                self._selection, since=self._version, seconds=seconds, silence=SILENCE
            ) as events:
                seen: set[Key] | None = set() if self._version is None else None
                async for event in events:
                    self._heard = True
                    seen = self._take(event, seen)
        except Invalid:
            if self._version is not None or not self._sends_all:
                raise
            self._sends_all = False  # an older server: it is listed from here on

    async def _list(self) -> None:
        listing = await self._kube.list(self._selection)
        for document in listing.documents:
            self._put(document)
        self._complete({key_of(document) for document in listing.documents}, listing.version)

    def _take(self, event: WatchEvent, seen: set[Key] | None) -> set[Key] | None:
        """Take an event in; `seen` are the objects of an unfinished beginning."""
        document = event.document
        match event.change:
            case Change.BOOKMARK:
                annotations = document["metadata"].get("annotations") or {}
                if seen is not None and INITIAL_END in annotations:
                    self._complete(seen, version_of(document))
                    return None
            case Change.DELETED:
                self._remove(key_of(document))
            case _:
                self._put(document)
                if seen is not None:
                    seen.add(key_of(document))
        if seen is None:
            self._version = version_of(document)
        return seen

    def _complete(self, seen: set[Key], version: str) -> None:
        for key in self._cache.names():
            if key not in seen and self._selection.namespace in {None, key.namespace}:
                self._remove(key)
        self._version = version
        self._refusal = None
        self.synced.set()
        self._answered.set()

    def _put(self, document: Document) -> None:
        before = self._cache.put(document)
        if before is None or version_of(before) != version_of(document):
            self._on_change(before, self._cache.get(key_of(document)))

    def _remove(self, key: Key) -> None:
        before = self._cache.remove(key)
        if before is not None:
            self._on_change(before, None)

    def _pause(self, failures: int, error: Exception) -> float:
        """Return twice as long a pause each time, half of it by chance, never less than asked."""
        doublings = min(failures, _MOST_DOUBLINGS)
        longest = min(_LONGEST_PAUSE, 0.5 * 2.0**doublings)
        asked = error.after if isinstance(error, ServerUnavailable) else 0.0
        return max(asked, longest * (0.5 + 0.5 * self._chance()))
