"""Who leads: one of several replicas, by a Lease that it renews.

A replica takes the lease when nobody renewed it for its duration, as seen by
this replica's own clock: clocks of machines differ. Whoever leads stops before
another may begin: work is cancelled, and its end awaited, within the time that
is left. Names and versions make a second leader harmless; this makes it rare.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from ...api.errors import Conflict, Forbidden, NotFound, ServerUnavailable, TunewrightError
from .port import Document, Kube, Resource, version_of

LEASES = Resource("coordination.k8s.io", "v1", "leases")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: how long a lease holds, how long its holder may fail to renew it, between tries."""

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0

    @property
    def to_end(self) -> float:
        """How long the work of a leader may take to end."""
        return self.duration - self.deadline


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease as it was seen, and when it was seen to change for the last time."""

    holder: str
    version: str
    since: float


class Step(Enum):
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def decide(seen: Seen | None, me: str, times: Times, now: float) -> Step:
    """Choose what a replica does about a lease; None: there is none yet."""
    if seen is None or not seen.holder:
        return Step.TAKE
    if seen.holder == me:
        return Step.RENEW
    return Step.TAKE if now - seen.since >= times.duration else Step.WAIT


def look(before: Seen | None, document: Document | None, now: float) -> Seen | None:
    """Return what is seen now; its time moves only when the lease has changed."""
    if document is None:
        return None
    holder, version = str(document["spec"].get("holderIdentity") or ""), version_of(document)
    if before is not None and before.version == version:
        return before
    return Seen(holder, version, now)


class Elector:
    """Takes part in the election of one leader. `clock` is monotonic, `wall` is what is written.

    Work that does not end in time is left by `vanish`: by default this process ends.
    """

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        me: str,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        times: Times = Times(),
        vanish: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._me = me
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._times = times
        self._vanish = vanish
        self._seen: Seen | None = None
        self._document: Document | None = None

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to be the leader, lead until that is over or `lead` returns; give the lease back.

        What `lead` raises is raised when it has ended, and so is what the server refuses.
        """
        while not await self._try():
            await self._sleep(self._times.retry)
        leading = asyncio.ensure_future(lead())
        try:
            await self._hold(leading)
        finally:
            await self._end(leading)
            await self._give_back()
        with contextlib.suppress(asyncio.CancelledError):
            await leading

    async def _end(self, leading: "asyncio.Future[None]") -> None:
        leading.cancel()
        ended, _ = await asyncio.wait({leading}, timeout=self._times.to_end)
        if not ended:
            self._vanish()

    async def _hold(self, leading: "asyncio.Future[None]") -> None:
        """Renew until the work is over, or the lease is another's or may soon be."""
        renewed = self._clock()
        while not leading.done():
            await self._sleep(self._times.retry)
            left = renewed + self._times.deadline - self._clock()
            if left <= 0 or self._lost():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    renewed = self._clock() if await self._try() else renewed

    def _lost(self) -> bool:
        return self._seen is not None and self._seen.holder != self._me

    async def _try(self) -> bool:
        """Take or renew the lease; say whether it is ours now."""
        try:
            self._document = await self._read()
            now = self._clock()
            self._seen = look(self._seen, self._document, now)
            if decide(self._seen, self._me, self._times, now) is Step.WAIT:
                return False
            self._document = await self._write(self._me)
        except (Conflict, ServerUnavailable):
            return False  # another was faster; or the server is away, and the deadline decides
        except Forbidden:
            if self._seen is None:
                raise
            return False  # it was allowed before: a server that starts has not read its roles yet
        self._seen = look(self._seen, self._document, self._clock())
        return True

    async def _read(self) -> Document | None:
        try:
            return await self._kube.get(LEASES, self._namespace, self._name)
        except NotFound:
            return None

    async def _write(self, holder: str) -> Document:
        now = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="microseconds")
        moment = now.replace("+00:00", "Z")
        before: Any = self._document["spec"] if self._document else {}
        is_new = before.get("holderIdentity") != holder
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "renewTime": moment,
            "acquireTime": moment if is_new else before.get("acquireTime", moment),
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + int(is_new),
        }
        if self._document is None:
            document = {
                "apiVersion": LEASES.api_version,
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": self._namespace},
                "spec": spec,
            }
            return await self._kube.create(LEASES, self._namespace, document)
        return await self._kube.replace(LEASES, self._namespace, {**self._document, "spec": spec})

    async def _give_back(self) -> None:
        """Let another begin at once; when that fails, the lease runs out."""
        if self._seen is not None and self._seen.holder == self._me:
            with contextlib.suppress(TunewrightError, TimeoutError):
                async with asyncio.timeout(self._times.to_end):
                    await self._write("")
