"""Snapshots of an experiment that another process drives, read from the store or the cluster."""

from collections.abc import Iterator

from ..api.history import Finished, Verdict
from ..api.objective import Objective
from ..api.problem import PARALLEL_TRIALS
from ..controller.progress import BestTrial, FinishedTrial, RunningTrial, Snapshot
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord


class Reader:
    """Reads snapshots, and each finished trial once.

    A read costs as much as there are unfinished and newly finished trials.
    """

    def __init__(self, records: Records, record: ExperimentRecord, objective: Objective) -> None:
        self._records = records
        self._key = record.key
        self._uid = record.uid
        self._objective = objective
        self._position = records.view(record.uid).experiment.totals.position

    def read(self, now: float) -> tuple[ExperimentRecord, Snapshot]:
        """Return the experiment as it stands, and what a display shows of it."""
        record = self._records.experiment(self._key)
        view = self._records.view(record.uid)
        spec = record.document["spec"]
        running = tuple(
            self._running(trial)
            for trial in view.unfinished
            if trial.attempt is not None and trial.attempt.ended_at is None
        )
        return record, Snapshot(
            at=now,
            state=record.state,
            reason=record.reason,
            message=record.message,
            suspended=record.suspended,
            leaving=False,
            counts=tuple((str(state), count) for state, count in record.totals.by_state.items()),
            max_trials=spec.get("maxTrialCount"),
            parallel_trials=spec.get("parallelTrialCount") or PARALLEL_TRIALS,
            best=_best(record),
            running=running,
            active_seconds=record.active_seconds,
            seconds_left=_seconds_left(record),
            # A cluster's resource says so, a document in a store does not.
            waiting_for=tuple((record.document.get("status") or {}).get("waitsFor") or ()),
        )

    def finished(self) -> Iterator[FinishedTrial]:
        """Yield the trials that ended since the last call."""
        for entry in self._records.history(self._uid, after=self._position):
            ended = self._ended(entry) if isinstance(entry, Finished) else None
            # Only now: a trial that could not be read is read again at the next call.
            self._position = entry.position
            if ended is not None:
                yield ended

    def _ended(self, entry: Finished) -> FinishedTrial:
        trial = self._records.trial(self._uid, entry.index)
        return FinishedTrial(
            index=trial.index,
            name=trial.name,
            state=str(trial.state),
            reason=trial.reason,
            message=trial.message,
            value=trial.value,
            is_good=entry.verdict is Verdict.OBSERVED,
            point=trial.proposal.point,
        )

    def _running(self, trial: TrialRecord) -> RunningTrial:
        attempt = trial.attempt
        summary = self._records.observation(self._uid, trial.index).get(self._objective.metric.name)
        return RunningTrial(
            index=trial.index,
            name=trial.name,
            attempt=attempt.attempt if attempt else 1,
            point=trial.proposal.point,
            started_at=attempt.started_at if attempt else None,
            metric=summary.latest if summary else None,
            step=summary.latest_step if summary else None,
            stopping=trial.stop is not None,
        )


def _best(record: ExperimentRecord) -> BestTrial | None:
    best = record.best[0] if record.best else None
    if best is None or best.value is None:
        return None
    return BestTrial(best.index, best.name, best.proposal.point, best.value)


def _seconds_left(record: ExperimentRecord) -> float | None:
    """Estimate by the pace so far."""
    budget: int | None = record.document["spec"].get("maxTrialCount")
    finished = record.totals.finished
    if not budget or not finished or record.state.is_finished:
        return None
    return record.active_seconds / finished * max(budget - finished, 0)
