"""A stateless service of several replicas: an experiment asks the same one while it is there.

Which one is drawn by rendezvous hashing of the experiment's uid: every replica knows the
experiments that are its own, and when one goes only those move, to all the others.
"""

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from ..api.errors import PluginUnavailable
from ..api.history import Suggestion
from ..api.problem import ANSWER_SECONDS, Problem
from .client import RemoteSuggester
from .inline import History

Resolve: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
"""Returns the addresses at which replicas are now."""


def ranked(uid: str, addresses: Iterable[str]) -> list[str]:
    """Return the addresses in the order in which an experiment asks them."""

    def weight(address: str) -> bytes:
        return hashlib.sha256(f"{uid} {address}".encode()).digest()

    return sorted(set(addresses), key=weight)


async def addresses_of(place: str) -> Sequence[str]:
    """Return all addresses that a name has: of a headless Service, those of its pods.

    Raises:
        PluginUnavailable: it has none now.
    """
    host, _, port = place.rpartition(":")
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PluginUnavailable(f"{place}: {error.strerror or error}") from error
    return [_written(address[0], address[1]) for *_, address in found]


def _written(host: object, port: object) -> str:
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


class ReplicaSuggester:
    """Asks one experiment's algorithm at the replica that is its own.

    One that does not answer is passed over from then on, as long as there is another.
    `timeout` is seconds for one call.
    """

    def __init__(
        self, resolve: Resolve, history: History, *, timeout: float = ANSWER_SECONDS
    ) -> None:
        self._resolve = resolve
        self._history = history
        self._timeout = timeout
        self._address = ""
        self._remote: RemoteSuggester | None = None
        self._silent: set[str] = set()

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        """Ask for up to `count` points; raises what `RemoteSuggester.suggest` does."""
        remote = await self._open(problem.uid)
        try:
            return await remote.suggest(problem, first_index, count, position=position)
        except PluginUnavailable:
            self._silent.add(self._address)
            raise

    async def forget(self) -> None:
        """Send everything at the next question."""
        if self._remote is not None:
            await self._remote.forget()

    async def close(self) -> None:
        if self._remote is not None:
            await self._remote.close()
            self._remote = None

    async def _open(self, uid: str) -> RemoteSuggester:
        there = await self._resolve()
        self._silent &= set(there)
        address = ranked(uid, set(there) - self._silent or there)[0]
        if self._remote is None or address != self._address:
            await self.close()
            self._address = address
            self._remote = RemoteSuggester(
                address, self._history, timeout=self._timeout, speaks_v1=True
            )
        return self._remote
