"""Why an attempt does not run, and what else its people should hear of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ...db.records import TrialRecord
from ...metrics_collector.spec import CollectorKind
from ..plan import reasons
from .attempts import AGAIN_SECONDS, Attempts
from .outputs import last_words
from .port import Document, name_of
from .workloads.hindrance import Hindrance, hindrance
from .workloads.injection import Way
from .workloads.pods import is_collected, is_primary
from .workloads.queueing import why_queued

EVENTS_SECONDS = 10.0
"""How often the events about a trial that does not run are asked for, and Kueue's word."""

_UNWRITTEN = {CollectorKind.FILE, CollectorKind.TFEVENT, CollectorKind.PROMETHEUS}
"""Whose metrics only a collector of ours in the pod could read."""

_UNREAD = (
    "its metrics are in no log, and are not read"
    " (print them, or have the component `webhook` installed and the operator up)"
)


class Explainer:
    """Tells people why an attempt does not run, and of crashes and metrics that are not read."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._world = attempts.world
        self._book = attempts.book

    async def explain(self, record: TrialRecord, found: Document, pods: Sequence[Document]) -> None:
        """Say why an attempt that was begun does not run.

        Pods say most of it; events and Kueue, which have to be asked, only now and then.
        """
        self._attempts.again = True
        if self._attempts.is_stopping(record.index):
            return  # it stands still because we asked it to
        began = record.attempt.started_at if record.attempt else None
        if began is None or 0 <= self._world.clock.now() - began < AGAIN_SECONDS:
            return
        attempt, why = self._attempts.of(record.index), hindrance(found, pods, ())
        if why is None or why.reason is reasons.QUEUED:
            now = self._world.steady()
            if now < attempt.events_from:
                return  # what was said last holds
            attempt.events_from = now + EVENTS_SECONDS
            why = await self._ask(found, pods, why)
        if why is not None:
            self._attempts.say(record.index, why.reason.name, why.message)

    async def _ask(
        self, found: Document, pods: Sequence[Document], why: Hindrance | None
    ) -> Hindrance | None:
        """Return what the cluster says when it is asked."""
        if why is None:
            return hindrance(found, pods, await self._attempts.jobs.events(found, pods))
        said = await why_queued(self._world.kube, found)
        return replace(why, detail=f"{why.detail}: {said}") if said else why

    def note_crash(self, record: TrialRecord, found: Document, pods: Sequence[Document]) -> None:
        """Note that a pod of a trial crashed although its workload goes on."""
        why, attempt = crash_of(found, pods), self._attempts.of(record.index)
        if why is not None and attempt.told_crash != why.detail:
            attempt.told_crash, attempt.crash = why.detail, why

    async def tell_of_crashes(self) -> None:
        """Say all crashes that were noted, each with the last lines that its container wrote."""
        crashes = self._attempts.crashes
        await asyncio.gather(*(self._tell_of_crash(*each) for each in crashes.items()))

    async def _tell_of_crash(self, index: int, why: Hindrance) -> None:
        assert why.crashed is not None
        words = await last_words(self._world.kube, self._book.key.namespace, why.crashed)
        said = f"{why.message}: {words}" if words else why.message
        self._book.say(index, why.reason.name, said, self._world.clock.now())
        self._attempts.of(index).crash = None

    def tell_unread(self, record: TrialRecord, pods: Sequence[Document]) -> None:
        """Say that metrics of primary pods without a collector are in no log."""
        brief = self._attempts.brief
        if brief.collector.kind not in _UNWRITTEN or self._attempts.way_of(record) is not Way.LOGS:
            return
        for pod in pods:
            if is_primary(pod, brief.primary_labels) and not is_collected(pod):
                note = f"Pod {name_of(pod)} was created without a collector: {_UNREAD}"
                about = self._book.about(record.index)
                self._world.notices.say(about, "Warning", "NoCollector", note)


def crash_of(found: Document, pods: Sequence[Document]) -> Hindrance | None:
    """Return the failed container of a workload that goes on, None where there is none."""
    why = hindrance(found, pods, ())
    return why if why is not None and why.crashed is not None else None
