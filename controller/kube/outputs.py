"""The end of what a trial wrote, kept before its pods go."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

from ...api.errors import TunewrightError
from .archive import Archive
from .port import Document, Kube, name_of, namespace_of
from .workloads.hindrance import Crashed
from .workloads.pods import is_primary

KEPT = 1 << 16
"""Bytes of a trial's output that stay."""

PATIENCE_SECONDS = 5.0
"""How long a log may take: an end is not told before."""

_LINES, _LONGEST = 3, 400
"""How much of what a crashed container wrote is told with its crash."""

log = logging.getLogger(__name__)


async def keep_output(
    kube: Kube,
    archive: Archive,
    attempt: tuple[str, int, int],
    pods: Sequence[Document],
    *,
    container: str,
    labels: Mapping[str, str] | None,
) -> None:
    """Keep the end of what the newest primary pod wrote; what cannot be read is not kept.

    `attempt` is the experiment's uid, the trial's index and the attempt's number.
    """
    primary = [pod for pod in pods if is_primary(pod, labels)]
    if not primary:
        return
    pod = max(primary, key=lambda each: str(each["metadata"].get("creationTimestamp")))
    tail = await _read(kube, namespace_of(pod), name_of(pod), container)
    if tail:
        with contextlib.suppress(TunewrightError):
            await archive.keep_output(*attempt, tail[-KEPT:])


async def last_words(kube: Kube, namespace: str, crashed: Crashed) -> str:
    """Return the last lines that a container wrote before it crashed, as one line."""
    read = _read(kube, namespace, crashed.pod, crashed.container, previous=crashed.previous)
    lines = [line.strip() for line in (await read).decode(errors="replace").splitlines()]
    return " | ".join(list(filter(None, lines))[-_LINES:])[-_LONGEST:]


async def _read(
    kube: Kube, namespace: str, pod: str, container: str, *, previous: bool = False
) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await kube.log_end(namespace, pod, container, previous=previous)
    except (TunewrightError, TimeoutError) as error:
        log.info("the log of %s cannot be read: %s", pod, error)
        return b""
