"""The picture of an experiment that another process drives, read from the store."""

from collections.abc import Iterator

from ..api.history import Finished, Verdict
from ..api.objective import Objective
from ..controller.progress import BestTrial, FinishedTrial, RunningTrial, Snapshot
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord


class Reader:
    """Reads snapshots, and each finished trial once; costs what is unfinished and what is new."""

    def __init__(self, records: Records, record: ExperimentRecord, objective: Objective) -> None:
        self._records = records
        self._key = record.key
        self._uid = record.uid
        self._objective = objective
        self._position = records.view(record.uid).experiment.totals.position

    def read(self, now: float) -> tuple[ExperimentRecord, Snapshot]:
        """Return the experiment as it stands, and its picture."""
        record = self._records.experiment(self._key)
        view = self._records.view(record.uid)
        spec = record.document["spec"]
        limit = spec.get("maxTrialCount")
        done = record.totals.finished
        left = None
        if limit and done and not record.state.is_finished:
            left = record.active_seconds / done * max(limit - done, 0)
        best = record.best[0] if record.best else None
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
            max_trials=limit,
            parallel_trials=spec.get("parallelTrialCount") or 3,
            best=None
            if best is None or best.value is None
            else BestTrial(best.index, best.name, best.proposal.point, best.value),
            running=running,
            active_seconds=record.active_seconds,
            seconds_left=left,
            # A cluster's resource says so, a document in a store does not.
            waiting_for=tuple((record.document.get("status") or {}).get("waitsFor") or ()),
        )

    def finished(self) -> Iterator[FinishedTrial]:
        """Yield the trials that ended since the last call."""
        for entry in self._records.history(self._uid, after=self._position):
            ended = isinstance(entry, Finished) and self._ended(entry)
            self._position = entry.position  # not before: what could not be read is tried again
            if ended:
                yield ended

    def _ended(self, entry: Finished) -> FinishedTrial:
        return _finished(self._records.trial(self._uid, entry.index), entry.verdict)

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


def _finished(trial: TrialRecord, verdict: Verdict) -> FinishedTrial:
    return FinishedTrial(
        index=trial.index,
        name=trial.name,
        state=str(trial.state),
        reason=trial.reason,
        message=trial.message,
        value=trial.value,
        is_good=verdict is Verdict.OBSERVED,
        point=trial.proposal.point,
    )
