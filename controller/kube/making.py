"""Making the cluster's workloads what the book says: stopping, creating, deleting them."""

from collections.abc import Iterable, Sequence

from ...api.checkpoint import Keep
from ...api.errors import Invalid, Retryable, ServerUnavailable, Terminal
from ...db.records import TrialRecord, Usage
from ..lineage import Lineage, recent, spare
from ..plan import reasons
from ..plan.view import EndReason
from ..ports import Ended
from .attempts import Attempts, is_going, is_sent_back, is_starting
from .workloads.stopping import stop_patch
from .writing import together

_REFUSALS = (Terminal, ServerUnavailable)
"""A quota, a policy, a webhook that refuses or is down: each may change its mind."""

_SWEPT = 4
"""The newest generations whose checkpoints are looked at; those of older ones are gone already."""

_REFUSED_SECONDS = 30.0
"""How long what may not be deleted is left alone: there may be thousands."""

_PART = 500
"""How many trials are told at once to a metrics service that has lost its database."""


class Maker:
    """Stops, creates and deletes the workloads of one experiment's trials."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._world = attempts.world
        self._book = attempts.book
        self._jobs = attempts.jobs
        self._lineage = Lineage(attempts.book, attempts.book.experiment.uid)
        self._clears_from = 0.0

    async def make(self) -> None:
        """End what is to end, begin what is to begin, and take away what is left.

        What the cluster refuses of it is said, and tried again.
        """
        unfinished, attempts = self._book.unfinished, self._attempts
        stopping = [each for each in unfinished if is_going(each) and self._is_stopping(each)]
        starting = [each for each in unfinished if self._is_to_begin(each)]
        over = [each.name for each in unfinished if is_sent_back(each)]
        await self._mark()
        if not await self._tell(starting):
            starting = []
        await together(
            [
                *(self._stop(record) for record in stopping),
                *(self._begin(record) for record in starting),
                *(self._clear(name) for name in (*attempts.to_clear(), *over)),
            ]
        )

    async def _mark(self) -> None:
        """Have the API server ask about pods that are made elsewhere, while there may be some."""
        if self._world.pod_webhook is not None:
            begun = any(each.attempt is not None for each in self._book.unfinished)
            await self._world.pod_webhook.hold(self._book.key, self._kind, holds=begun)

    @property
    def _kind(self) -> str:
        return str(self._attempts.brief.template.source["kind"])

    def _is_stopping(self, record: TrialRecord) -> bool:
        return self._attempts.is_stopping(record.index)

    def _is_to_begin(self, record: TrialRecord) -> bool:
        unmade = is_starting(record) and not self._attempts.of(record.index).made
        return unmade and not self._is_stopping(record)

    # The metrics service.

    async def _tell(self, starting: Sequence[TrialRecord]) -> bool:
        """Tell the metrics service of trials before they report, and of those that have ended.

        Says whether they may begin: nobody would take their reports while it is away.
        """
        if not starting and not self._attempts.untold:
            return True
        indexes = self._attempts.untold | {record.index for record in starting}
        try:
            lacking = await self._keep(sorted(indexes))
            while lacking <= max(indexes):
                more = range(lacking, min(lacking + _PART, self._book.proposed))
                lacking = await self._keep(more)
        except Retryable as error:
            self._attempts.again = True
            for record in starting:
                away = reasons.STORE_AWAY
                self._attempts.say(record.index, away.name, away.about(str(error)))
            return False
        self._attempts.untold -= indexes
        return True

    async def _keep(self, indexes: Iterable[int]) -> int:
        records = [self._book.told(index) for index in indexes]
        lacking: int = await self._world.archive.keep(self._book.experiment, records)
        return lacking

    # The workloads.

    def _spare(self) -> Sequence[str]:
        """Return whose checkpoints are of no use any more, of the generations before last."""
        kept = self._attempts.brief.checkpoint
        if kept is None or kept.keep is Keep.ALL:
            return ()
        members = self._lineage.members(self._book.key.name)
        best = self._book.experiment.best
        return spare(recent(members, _SWEPT), best[0].name if best else None)

    async def _begin(self, record: TrialRecord) -> None:
        self._attempts.again = True  # what does not happen to it is told by nobody
        attempt, uid = self._attempts.of(record.index), self._book.pages[record.index].uid
        try:
            await self._jobs.create(
                self._book.experiment, self._attempts.brief, record, uid, spare=self._spare()
            )
        except Invalid as error:
            ref, now = self._attempts.ref(record), self._world.clock.now()
            attempt.ended = Ended(ref, EndReason.REFUSED, None, str(error), Usage(), now)
        except _REFUSALS as error:
            self._attempts.say(record.index, reasons.REFUSED_BY_CLUSTER.name, str(error))
        else:
            attempt.made = True

    async def _stop(self, record: TrialRecord) -> None:
        found, attempt = self._attempts.workload(record), self._attempts.of(record.index)
        if found is None or attempt.suspended:
            return
        retain = self._attempts.brief.policy.retain
        if not found["metadata"].get("deletionTimestamp"):
            await self._attempts.keep_output(record.index)
        try:
            await self._jobs.stop(found, retain=retain)
        except _REFUSALS as error:
            self._attempts.again = True
            message = f"the trial cannot be stopped: {error}"
            self._attempts.say(record.index, reasons.REFUSED_BY_CLUSTER.name, message)
            return
        if stop_patch(found, retain=retain) is not None:
            attempt.suspended = self._attempts.again = True

    async def _clear(self, name: str) -> None:
        found = self._jobs.get(self._book.experiment, name)
        if found is None:
            self._attempts.leftovers.discard(name)
            return
        now = self._world.steady()
        if now < self._clears_from:
            self._attempts.again = True
            return
        try:
            await self._jobs.remove(found)
        except _REFUSALS as error:
            self._attempts.again = True
            self._clears_from = now + _REFUSED_SECONDS
            reason, about = reasons.REFUSED_BY_CLUSTER.name, self._book.experiment.document
            self._world.notices.say(about, "Warning", reason, f"{name} cannot be deleted: {error}")
