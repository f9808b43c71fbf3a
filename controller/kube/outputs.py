"""The end of what a trial wrote, kept before its pods go."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from ...api.errors import TunewrightError
from .archive import Archive
from .port import Document, Kube, name_of, namespace_of

KEPT = 1 << 16
"""Bytes of a trial's output that stay."""

PATIENCE_SECONDS = 5.0
"""How long a log may take: an end is not told before."""

log = logging.getLogger(__name__)


async def keep_output(
    kube: Kube,
    archive: Archive,
    attempt: tuple[str, int, int],
    pods: Sequence[Document],
    *,
    container: str,
    labels: Mapping[str, str],
) -> None:
    """Keep the end of what the newest primary pod wrote; what cannot be read is not kept.

    `attempt` is the experiment's uid, the trial's index and the attempt's number.
    """
    primary = [
        pod for pod in pods if labels.items() <= (pod["metadata"].get("labels") or {}).items()
    ]
    if not primary:
        return
    pod = max(primary, key=lambda each: str(each["metadata"].get("creationTimestamp")))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            tail = await kube.log_end(namespace_of(pod), name_of(pod), container)
            if tail:
                await archive.keep_output(*attempt, tail[-KEPT:])
    except (TunewrightError, TimeoutError) as error:
        log.info("what %s wrote is not kept: %s", name_of(pod), error)
