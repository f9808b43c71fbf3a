"""Pictures of a running experiment, for whoever looks on."""

from ..api.history import Proposal, Verdict
from ..db.records import TrialRecord
from .effects import TrialFinished, Turn
from .plan import explain
from .plan.view import Phase
from .ports import Clock
from .progress import BestTrial, FinishedTrial, Observer, RunningTrial, Snapshot
from .trials import RunningTrials

EVERY = 0.2
"""Seconds between two pictures at the least."""


class Pictures:
    """Shows an observer what happens, not too often."""

    def __init__(self, observer: Observer | None, clock: Clock) -> None:
        self._observer = observer
        self._clock = clock
        self._shown_at = 0.0
        self.is_going = False
        """Whether the last turn left the experiment driven and not suspended."""

    def show(self, turn: Turn, trials: RunningTrials) -> None:
        view = turn.view
        self.is_going = not (view.suspended or view.state.is_finished)
        now = self._clock.now()
        if self._observer is None or (now - self._shown_at < EVERY and not turn.done):
            return
        self._shown_at = now
        self._observer.snapshot(_snapshot(turn, trials, now))

    def finished(self, ended: TrialFinished) -> None:
        if self._observer is None:
            return
        record, entry = ended.record, ended.entry
        self._observer.finished(
            FinishedTrial(
                index=record.index,
                name=record.name,
                state=entry.state,
                reason=ended.reason,
                message=ended.message,
                value=entry.value,
                is_good=entry.verdict is Verdict.OBSERVED,
                point=record.proposal.point,
            )
        )

    def note(self, at: float, kind: str, reason: str, message: str, *, trial: str | None) -> None:
        if self._observer is not None:
            self._observer.event(at, kind, reason, message, trial=trial)


def _snapshot(turn: Turn, trials: RunningTrials, now: float) -> Snapshot:
    view, experiment = turn.view, turn.stored.experiment
    best = experiment.best[0] if experiment.best else None
    return Snapshot(
        at=now,
        state=view.state,
        reason=view.reason,
        message=view.message,
        suspended=view.suspended,
        leaving=view.leaving is not None,
        counts=tuple((str(state), count) for state, count in view.counts.by_state.items()),
        max_trials=view.policy.max_trials,
        parallel_trials=view.parallel,
        best=_best(best),
        running=tuple(
            _running(record, trials, stopping=shown.stopping is not None)
            for record, shown in zip(turn.stored.unfinished, view.trials, strict=True)
            if shown.phase in {Phase.RUNNING, Phase.STARTING}
        ),
        active_seconds=view.active_seconds,
        seconds_left=_seconds_left(turn),
        waiting_for=tuple(explain(view, now)),
    )


def _best(record: TrialRecord | None) -> BestTrial | None:
    if record is None or record.value is None:
        return None
    return BestTrial(record.index, record.name, record.proposal.point, record.value)


def _running(record: TrialRecord, trials: RunningTrials, *, stopping: bool) -> RunningTrial:
    latest = trials.latest(record.index)
    proposal: Proposal = record.proposal
    return RunningTrial(
        index=record.index,
        name=record.name,
        attempt=record.attempt.attempt if record.attempt else 0,
        point=proposal.point,
        started_at=record.started_at,
        metric=latest.value if latest else None,
        step=latest.step if latest else None,
        stopping=stopping,
    )


def _seconds_left(turn: Turn) -> float | None:
    """Estimate by the pace so far."""
    view = turn.view
    finished, budget = view.counts.finished, view.policy.max_trials
    if budget is None or finished < 2:
        return None
    return view.active_seconds / finished * max(0, budget - finished)
