"""Events of the cluster: what happened, for whoever asks `kubectl describe`.

They are told beside the work and never hold it up: where many come at once the
rest is left out, and what fails is not tried again.
"""

import asyncio
import logging
import secrets
from collections import deque
from typing import Any

from ...api.errors import TunewrightError
from ...api.moments import written
from ..ports import Clock
from .port import Document, Kube, name_of, namespace_of
from .resources import EVENTS

COMPONENT = "tunewright-operator"

_WAITING = 200
_SECONDS = 0.1
_NOTE = 1000

log = logging.getLogger(__name__)


class Notices:
    """Writes ten events a second at most."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_WAITING)
        self._news = asyncio.Event()

    def say(self, about: Document, kind: str, reason: str, note: str) -> None:
        """Tell of an object; of several alike that wait, one is told."""
        now = written(self._clock.now())
        involved = {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "namespace": namespace_of(about),
            "uid": about["metadata"]["uid"],
        }
        said = {"type": kind, "reason": reason, "message": note[:_NOTE], "involvedObject": involved}
        if any(said.items() <= each.items() for each in self._waiting):
            return
        self._waiting.append(
            {
                "apiVersion": EVENTS.api_version,
                "kind": "Event",
                "metadata": {
                    "name": f"{name_of(about)}.{secrets.token_hex(8)}",
                    "namespace": namespace_of(about),
                },
                **said,
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "source": {"component": COMPONENT},
            }
        )
        self._news.set()

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                event = self._waiting.popleft()
                try:
                    await self._kube.create(EVENTS, event["metadata"]["namespace"], event)
                except TunewrightError as error:
                    log.debug("an event is left out: %s", error)
                await asyncio.sleep(_SECONDS)
