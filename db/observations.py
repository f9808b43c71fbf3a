"""The rows of observations: logs, their summaries, and the stops that they cause.

A batch is kept behind the last sequence of its source, so that the same batch
again changes nothing. The summaries, the running averages and the stop that a
report causes are written with it, in one transaction.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ..api.errors import Fault, Invalid, NotFound
from ..api.observation import Batch, PlainSample, Sample, Summary, as_text
from ..api.states import TrialState
from . import trial_statements as run
from .driver_errors import unfit
from .records import Ack, Reporter
from .rows import reporter_of, stop_row
from .schema import (
    curves,
    decode,
    encode,
    experiments,
    names,
    observations,
    sources,
    stops,
    summaries,
    trials,
)
from .statements import Prepared, insert_of, update_of
from .stopping import Stopping, Target, reports_of

_SOURCE = Prepared(
    select(sources.c.last_sequence).where(
        sources.c.trial_id == bindparam("trial"),
        sources.c.attempt == bindparam("number"),
        sources.c.source_id == bindparam("source"),
    )
)
# All that is needed to keep a batch, in one query; its trial's row is locked by then.
_STANDING = Prepared(
    select(
        sources.c.last_sequence,
        experiments.c.version,
        stops.c.attempt,
        stops.c.reason,
        stops.c.decided_at,
        stops.c.answered,
    )
    .select_from(experiments)
    .outerjoin(
        sources,
        (sources.c.trial_id == bindparam("trial"))
        & (sources.c.attempt == bindparam("number"))
        & (sources.c.source_id == bindparam("source")),
    )
    .outerjoin(
        stops,
        (stops.c.trial_id == bindparam("trial")) & (stops.c.attempt == bindparam("number")),
    )
    .where(experiments.c.id == bindparam("owner"))
)
_KEY = ("trial_id", "attempt", "source_id")
_NEW_SOURCE = insert_of(sources, *_KEY, "last_sequence", "heard_at")
_ADVANCE = update_of(sources, _KEY, ("last_sequence", "heard_at"))
_NOTE = update_of(sources, _KEY, ("heard_at", "seen", "dropped", "done"))
_REPORTERS = Prepared(
    select(sources, names.c.text)
    .join_from(sources, names, names.c.id == sources.c.source_id)
    .where(sources.c.trial_id == bindparam("trial"), sources.c.attempt == bindparam("number"))
    .order_by(sources.c.source_id)
)
_LAST_SEQUENCE = 2**63 - 1
"""What a database can number."""

PAGE = 2000
"""How many samples are fetched at once by the readers of logs."""


class Observations(Stopping):
    """The part of the store that is about metrics."""

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]:
        def work(connection: Connection) -> Sequence[Ack]:
            # In the same order for all writers, so that two of them about the same trials do
            # not wait for each other.
            acks = {
                place: self._keep(connection, batches[place], now)
                for place in sorted(
                    range(len(batches)),
                    key=lambda place: (batches[place].experiment_uid, batches[place].index),
                )
            }
            return [acks[place] for place in range(len(batches))]

        return self._database.write(work)

    def append(self, batch: Batch, *, now: float) -> Ack:
        def work(connection: Connection) -> Ack:
            # This locks the trial's row: nobody else takes the same sequence numbers.
            target = self._target(connection, batch)
            source = self._names.id_of(connection, batch.source)
            last = _SOURCE(
                connection, trial=target.trial, number=target.attempt, source=source
            ).scalar()
            first = 0 if last is None else int(last) + 1
            return self._keep(connection, replace(batch, first_sequence=first), now)

        return self._database.write(work)

    def note_reporter(
        self, uid: str, index: int, attempt: int, reporter: Reporter, *, now: float
    ) -> Ack:
        def work(connection: Connection) -> Ack:
            target = self._target(connection, Batch(uid, index, attempt, reporter.source, 0, ()))
            source = self._names.id_of(connection, reporter.source)
            key = {"trial_id": target.trial, "attempt": target.attempt, "source_id": source}
            last = _SOURCE(
                connection, trial=target.trial, number=target.attempt, source=source
            ).scalar()
            if last is None:
                _NEW_SOURCE(connection, **key, last_sequence=-1, heard_at=now)
            _NOTE(
                connection,
                **{f"key_{name}": value for name, value in key.items()},
                heard_at=now,
                seen=json.dumps(reporter.seen),
                dropped=reporter.dropped,
                done=reporter.done,
            )
            known = -1 if last is None else int(last)
            stop = self._stop_of(connection, target)
            return Ack(index, attempt, reporter.source, known, stop)

        return self._database.write(work)

    def reporters(self, uid: str, index: int, attempt: int) -> Sequence[Reporter]:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            return [
                reporter_of(row) for row in _REPORTERS(connection, trial=trial.id, number=attempt)
            ]

    def samples(
        self,
        uid: str,
        index: int,
        *,
        metric: str | None = None,
        since: float | None = None,
        until: float | None = None,
        attempt: int | None = None,
        limit: int | None = None,
    ) -> Iterable[Sample]:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            query = (
                select(
                    observations.c.metric_id,
                    observations.c.value,
                    observations.c.time,
                    observations.c.step,
                )
                .where(
                    observations.c.trial_id == trial.id,
                    observations.c.attempt == (attempt or trial.attempt),
                )
                .order_by(observations.c.time, observations.c.source_id, observations.c.sequence)
                .limit(limit)
            )
            if metric is not None:
                query = query.where(
                    observations.c.metric_id == self._names.known(connection, metric)
                )
            if since is not None:
                query = query.where(observations.c.time >= since)
            if until is not None:
                query = query.where(observations.c.time <= until)
            # Before the log: while rows are fetched, MySQL answers no other query.
            known = self._summaries.by_number(connection, trial.id, attempt or trial.attempt)
            for number, value, time, step in _pages(connection, query):
                name, summary = known[number]
                yield Sample(name, _value(value, time, summary), time, step)

    def objective_samples(
        self, uid: str, *, since: float | None = None
    ) -> Iterable[tuple[int, Sample]]:
        with self._database.reading() as connection:
            owner = self._id(connection, uid)
            metric = self._rules_of(connection, owner)[0].metric.name
            query = (
                select(trials.c.idx, observations)
                .join_from(trials, observations, observations.c.trial_id == trials.c.id)
                .where(
                    trials.c.experiment_id == owner,
                    observations.c.attempt == trials.c.attempt,
                    observations.c.metric_id == self._names.known(connection, metric),
                )
                .order_by(trials.c.idx, observations.c.time, observations.c.sequence)
            )
            if since is not None:
                query = query.where(observations.c.time >= since)
            for row in _pages(connection, query):
                yield row.idx, Sample(metric, decode(row.value), row.time, row.step)

    def forget_samples(self, uid: str, index: int) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, index)
            for table in (observations, summaries, sources, curves):
                connection.execute(table.delete().where(table.c.trial_id == trial.id))

        self._database.write(work)

    def answer_stop(self, uid: str, index: int, attempt: int) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, index)
            connection.execute(
                update(stops)
                .where(stops.c.trial_id == trial.id, stops.c.attempt == attempt)
                .values(answered=True)
            )

        self._database.write(work)

    # A batch.

    def _keep(self, connection: Connection, batch: Batch, now: float) -> Ack:
        target = self._target(connection, batch)
        source = self._names.id_of(connection, batch.source)
        standing = _STANDING(
            connection,
            owner=target.owner,
            trial=target.trial,
            number=target.attempt,
            source=source,
        ).first()
        last = standing.last_sequence
        stop = None if standing.attempt is None else stop_row(target.index, standing)
        known = -1 if last is None else int(last)
        fresh = batch.samples[max(0, known + 1 - batch.first_sequence) :]
        if fresh:
            first = batch.first_sequence + len(batch.samples) - len(fresh)
            known = first + len(fresh) - 1
            if last is None:
                _NEW_SOURCE(
                    connection,
                    trial_id=target.trial,
                    attempt=target.attempt,
                    source_id=source,
                    last_sequence=known,
                    heard_at=now,
                )
            else:
                _ADVANCE(
                    connection,
                    key_trial_id=target.trial,
                    key_attempt=target.attempt,
                    key_source_id=source,
                    last_sequence=known,
                    heard_at=now,
                )
            self._insert(connection, target, source, first, fresh)
            if self._sum_up(connection, target, fresh, standing.version, now):
                stop = self._stop_of(connection, target)
        return Ack(target.index, target.attempt, batch.source, known, stop)

    def _target(self, connection: Connection, batch: Batch) -> Target:
        trial = self._one(connection, run.TARGET, batch.experiment_uid, batch.index)
        # What Katib's API reports before a trial has an attempt is kept under attempt 0.
        if not min(1, trial.attempt) <= batch.attempt <= trial.attempt:
            raise NotFound(f"trial {trial.name} has no attempt {batch.attempt}")
        if not 0 <= batch.first_sequence <= _LAST_SEQUENCE - len(batch.samples):
            wrong = f"{batch.first_sequence} numbers no sample"
            raise Invalid([Fault("first_sequence", wrong, "count the samples from 0")])
        return Target(
            owner=trial.experiment_id,
            uid=batch.experiment_uid,
            trial=trial.id,
            index=batch.index,
            attempt=batch.attempt,
            finished=TrialState(trial.state).is_finished,
            current=batch.attempt == trial.attempt,
        )

    def _insert(
        self,
        connection: Connection,
        target: Target,
        source: int,
        first: int,
        samples: Sequence[PlainSample],
    ) -> None:
        trial, attempt, late = target.trial, target.attempt, int(target.finished)
        metrics = {metric for metric, _, _, _ in samples}
        ids = {metric: self._names.id_of(connection, metric) for metric in metrics}
        rows = [
            (trial, ids[metric], attempt, time, source, sequence, encode(value), step, late)
            for sequence, (metric, value, time, step) in enumerate(samples, first)
        ]
        try:
            self._database.insert_rows(connection, observations, rows)
        except OverflowError as error:  # SQLite's driver on a step beyond 64 bits
            raise unfit(error) from error

    def _sum_up(
        self,
        connection: Connection,
        target: Target,
        samples: Sequence[PlainSample],
        version: int,
        now: float,
    ) -> bool:
        """Update the summaries; return whether a rule judged the samples, and may have stopped."""
        objective, rule = self._rules_of(connection, target.owner, version)
        known = self._summaries.extend(connection, target.trial, target.attempt, samples)
        if rule is None or target.finished or not target.current:
            return False
        reports = reports_of(target, objective, known.get(objective.metric.name), samples)
        self._follow_curve(connection, target, reports, now)
        return True


def _value(kept: float | None, time: float, summary: Summary) -> float:
    """Read a value of a log. Of values that are texts, only the latest is kept."""
    if kept is None and time == summary.latest_time:
        return decode(kept, as_text(summary.latest))
    return decode(kept)


def _pages(connection: Connection, query: Any) -> Iterator[Any]:
    """Fetch rows as they are wanted, so that a long log is never in memory whole."""
    result = connection.execute(query, execution_options={"yield_per": PAGE})
    for page in result.partitions():
        yield from page
