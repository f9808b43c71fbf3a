"""What a deleted experiment recorded is kept for a while, and then removed.

The metrics service notes since when an experiment's resource is missing; its namespace's limits
say how long it is kept then. It is removed only if it was missing at the look before, too: an
experiment that is just being created may be recorded before this operator has seen it.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence

from ...api.errors import TunewrightError
from ...db.records import Missing
from ..ports import Clock
from .archive import Archive
from .informers import Informers
from .world import LimitsOf

EVERY_SECONDS = 3600.0

log = logging.getLogger(__name__)


def expired(found: Iterable[Missing], limits: LimitsOf, now: float) -> Sequence[str]:
    """Return the uids of those whose time is over."""
    return [
        each.uid for each in found if now - each.since >= limits(each.namespace).retention_seconds
    ]


async def sweep(
    archive: Archive,
    present: Collection[str],
    namespaces: Collection[str],
    limits: LimitsOf,
    now: float,
) -> None:
    """Remove what is kept too long of experiments that are not `present`."""
    over = expired(await archive.missing(present, namespaces), limits, now)
    if over:
        await archive.forget(over)
        log.info("what %d deleted experiments recorded is removed", len(over))


async def keep_sweeping(
    archive: Archive,
    informers: Informers,
    namespaces: Collection[str],
    limits: LimitsOf,
    clock: Clock,
) -> None:
    """Sweep now and then, until cancelled."""
    while True:
        present = {each["metadata"]["uid"] for each in informers.experiments.all()}
        try:
            await sweep(archive, present, namespaces, limits, clock.now())
        except TunewrightError as error:
            log.info("deleted experiments cannot be swept now: %s", error)
        await asyncio.sleep(EVERY_SECONDS)
