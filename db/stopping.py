"""Early stopping in the store: it keeps running averages, asks the rule, and keeps its stops.

The store knows no rule: it is given an evaluator. What that decides is written in the
transaction of the report that caused it.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, or_, select

from ..api.errors import StoreUnavailable, StoreUnwritable
from ..api.objective import Direction, Objective
from ..api.observation import Observation, PlainSample, Summary, first_summary
from ..api.states import TrialState
from ..api.stopping import Evaluator, Progress, Stop
from .connection import Database
from .records import PendingStop, StopRow
from .rows import stop_row
from .schema import curves, decode, encode, events, experiments, log, stops, trials
from .statements import AT_ONCE, Prepared, insert_of
from .trial_reading import TrialReading

_told = logging.getLogger(__name__)

_NEW_MEAN = insert_of(curves)
_STOP = Prepared(
    select(stops).where(
        stops.c.trial_id == bindparam("trial"), stops.c.attempt == bindparam("number")
    )
)
_NEW_STOP = insert_of(stops)
_PENDING = Prepared(
    select(experiments.c.uid, trials.c.idx, stops.c.attempt, stops.c.reason)
    .join_from(
        stops, trials, (stops.c.trial_id == trials.c.id) & (stops.c.attempt == trials.c.attempt)
    )
    .join(experiments, experiments.c.id == trials.c.experiment_id)
    .where(
        stops.c.answered.is_(False),
        or_(trials.c.state == str(TrialState.CREATED), trials.c.state == str(TrialState.RUNNING)),
    )
    .order_by(stops.c.decided_at, stops.c.trial_id)
)
_WARNED = Prepared(
    select(events.c.id)
    .where(
        events.c.experiment_id == bindparam("owner"),
        events.c.idx == bindparam("index"),
        events.c.reason == bindparam("reason"),
    )
    .limit(1)
)
RULE_FAILED = "StoppingRuleFailed"
"""The reason of the Warning about a trial whose stopping rule fails."""


@dataclass(frozen=True, slots=True)
class Target:
    """The attempt that a batch is about."""

    owner: int
    uid: str
    trial: int
    index: int
    attempt: int
    finished: bool
    current: bool


class Stopping(TrialReading):
    """The part of the store that is about early stopping; it is a `CurveLog` to the rule."""

    def __init__(self, database: Database, evaluator: Evaluator | None = None) -> None:
        super().__init__(database)
        self._evaluator = evaluator

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        states = [TrialState.SUCCEEDED, *([TrialState.EARLY_STOPPED] if early_stopped else [])]
        with self._database.reading() as connection:
            owner = self._id(connection, experiment_uid)
            end = self._position(connection, owner)
            query = (
                select(log.c.idx)
                .join_from(
                    log,
                    trials,
                    (trials.c.experiment_id == log.c.experiment_id) & (trials.c.idx == log.c.idx),
                )
                .where(
                    log.c.experiment_id == owner,
                    log.c.position > position,
                    log.c.position <= end,
                    log.c.kind == "finished",
                    trials.c.state.in_(states),
                )
                .order_by(log.c.position)
            )
            return end, connection.execute(query).scalars().all()

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        with self._database.reading() as connection:
            trial = self._trial(connection, experiment_uid, index)
            own = (curves.c.trial_id == trial.id) & (curves.c.attempt == trial.attempt)
            last = select(func.max(curves.c.report)).where(own).correlate(None).scalar_subquery()
            means = select(curves.c.report, curves.c.mean).where(own)
            found = [*connection.execute(means.where(curves.c.report == last))]
            for start in range(0, len(reports), AT_ONCE):
                some = curves.c.report.in_(reports[start : start + AT_ONCE])
                found += connection.execute(means.where(some))
            return {row.report: decode(row.mean) for row in found}

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            return self._summaries.of_attempt(connection, trial.id, attempt or trial.attempt)

    def decide_stop(self, uid: str, stop: Stop, *, now: float) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, stop.index)
            is_over = TrialState(trial.state).is_finished or trial.attempt != stop.attempt
            key = {"trial": trial.id, "number": stop.attempt}
            if not is_over and _STOP(connection, **key).first() is None:
                _write_stop(connection, trial.id, stop, now)

        self._database.write(work)

    def pending_stops(self) -> Sequence[PendingStop]:
        with self._database.reading() as connection:
            return [
                PendingStop(row.uid, row.idx, row.attempt, row.reason)
                for row in _PENDING(connection)
            ]

    def _follow_curve(
        self,
        connection: Connection,
        target: Target,
        reports: Sequence[Progress],
        now: float,
    ) -> None:
        if not reports:
            return
        _NEW_MEAN.many(
            connection,
            (
                {
                    "trial_id": target.trial,
                    "attempt": target.attempt,
                    "report": progress.reports,
                    "mean": encode(progress.mean),
                }
                for progress in reports
            ),
        )
        found = self._judge(connection, target, reports, now)
        if found and self._stop_of(connection, target) is None:
            _write_stop(connection, target.trial, found[0], now)

    def _judge(
        self, connection: Connection, target: Target, reports: Sequence[Progress], now: float
    ) -> Sequence[Stop]:
        """Ask the stopping rule. One that fails stops nobody: the samples are kept all the same."""
        objective, rule = self._rules_of(connection, target.owner)
        if self._evaluator is None or rule is None:
            return ()
        try:
            # The evaluator reads through this transaction: what was just written counts.
            with self._database.joined(connection):
                return self._evaluator.evaluate(target.uid, rule, objective, reports, self)
        except (StoreUnavailable, StoreUnwritable):
            raise  # the store failed, not the rule
        except Exception as error:  # noqa: BLE001 # whatever it is, it is the rule's
            message = f"the stopping rule {rule.name} fails: {type(error).__name__}: {error}"
            self._warn_once(connection, target, message, now)
            _told.debug(message, exc_info=True)
            return ()

    def _warn_once(self, connection: Connection, target: Target, message: str, now: float) -> None:
        """Leave a Warning and a line in the log, the first time for each trial."""
        key = {"owner": target.owner, "index": target.index, "reason": RULE_FAILED}
        if _WARNED(connection, **key).first() is not None:
            return
        self._event(
            connection,
            target.owner,
            index=target.index,
            kind="Warning",
            reason=RULE_FAILED,
            message=message,
            now=now,
        )
        _told.warning("trial %d of experiment %s: %s", target.index, target.uid, message)

    def _stop_of(self, connection: Connection, target: Target) -> StopRow | None:
        row = _STOP(connection, trial=target.trial, number=target.attempt).first()
        return None if row is None else stop_row(target.index, row)


def _write_stop(connection: Connection, trial: int, stop: Stop, now: float) -> None:
    _NEW_STOP(
        connection,
        trial_id=trial,
        attempt=stop.attempt,
        reason=stop.reason,
        decided_at=now,
        answered=False,
    )


def reports_of(
    target: Target, objective: Objective, summary: Summary | None, samples: Sequence[PlainSample]
) -> list[Progress]:
    """Return the objective's reports among the samples, each with its log up to it."""
    reports = []
    for sample in samples:
        metric, value, _, _ = sample
        if metric == objective.metric.name:
            summary = summary.add(sample) if summary else first_summary(sample)
            reports.append(_progress(target, objective, value, summary))
    return reports


def _progress(target: Target, objective: Objective, value: float, summary: Summary) -> Progress:
    mean = summary.sum / summary.numbers if summary.numbers else math.nan
    best = summary.min if objective.direction is Direction.MINIMIZE else summary.max
    nans = summary.count - summary.numbers
    return Progress(target.index, target.attempt, summary.count, value, mean, best, nans)
