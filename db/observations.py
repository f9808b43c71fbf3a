"""The rows of observations: logs, their summaries, and the stops that they cause.

A batch is kept behind the last sequence of its source, so that the same batch
again changes nothing. The summaries, the running averages and the stop that a
report causes are written with it, in one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ..api.errors import Fault, Invalid, NotFound
from ..api.observation import Batch, Observation, PlainSample, Sample, Summary, summarize_on
from ..api.states import TrialState
from ..api.stopping import Evaluator
from .connection import Database, unfit
from .memory import Memory
from .records import Ack
from .rows import summary_of
from .schema import (
    curves,
    decode,
    encode,
    names,
    observations,
    sources,
    stops,
    summaries,
    trials,
)
from .statements import Prepared, insert_of, update_of
from .stopping import Stopping, Target, reports_of

_NAME = Prepared(select(names.c.id).where(names.c.text == bindparam("text")))
_SOURCE = Prepared(
    select(sources.c.last_sequence).where(
        sources.c.trial_id == bindparam("trial"),
        sources.c.attempt == bindparam("number"),
        sources.c.source_id == bindparam("source"),
    )
)
_NEW_SOURCE = insert_of(sources)
_ADVANCE = update_of(sources, ("trial_id", "attempt", "source_id"), ("last_sequence",))
_SUMMARIES = Prepared(
    select(summaries).where(
        summaries.c.trial_id == bindparam("trial"), summaries.c.attempt == bindparam("number")
    )
)
_SUMMARY = ("min", "max", "latest", "count", "sum", "latest_time", "min_step", "max_step")
_NEW_SUMMARY = insert_of(summaries)
_RENEW = update_of(
    summaries, ("trial_id", "attempt", "metric_id"), (*_SUMMARY, "latest_step", "numbers")
)
LONGEST_NAME = 255
"""Characters of a metric's or a source's name."""

PAGE = 2000
"""How many samples are fetched at once by the readers of logs."""


class Observations(Stopping):
    """The part of the store that is about metrics."""

    def __init__(self, database: Database, evaluator: Evaluator | None = None) -> None:
        super().__init__(database, evaluator)
        self._names: Memory[str, int] = Memory(database)
        self._texts: Memory[int, str] = Memory(database)

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]:
        def work(connection: Connection) -> Sequence[Ack]:
            # In one order for everybody, so that two who write about the same trials do not
            # wait for each other.
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
            # Its row is held from here on: nobody takes the same numbers.
            target = self._target(connection, batch)
            source = self._name(connection, batch.source)
            last = _SOURCE(
                connection, trial=target.trial, number=target.attempt, source=source
            ).scalar()
            first = 0 if last is None else int(last) + 1
            return self._keep(connection, replace(batch, first_sequence=first), now)

        return self._database.write(work)

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            return self._observation(connection, trial.id, attempt or trial.attempt)

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
                select(observations, names.c.text)
                .join_from(observations, names, names.c.id == observations.c.metric_id)
                .where(
                    observations.c.trial_id == trial.id,
                    observations.c.attempt == (attempt or trial.attempt),
                )
                .order_by(observations.c.time, observations.c.source_id, observations.c.sequence)
                .limit(limit)
            )
            if metric is not None:
                query = query.where(observations.c.metric_id == self._known(connection, metric))
            if since is not None:
                query = query.where(observations.c.time >= since)
            if until is not None:
                query = query.where(observations.c.time <= until)
            for row in _pages(connection, query):
                yield Sample(row.text, decode(row.value), row.time, row.step)

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
                    observations.c.metric_id == self._known(connection, metric),
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
        source = self._name(connection, batch.source)
        key = {"trial": target.trial, "number": target.attempt}
        last = _SOURCE(connection, **key, source=source).scalar()
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
                )
            else:
                _ADVANCE(
                    connection,
                    key_trial_id=target.trial,
                    key_attempt=target.attempt,
                    key_source_id=source,
                    last_sequence=known,
                )
            self._insert(connection, target, source, first, fresh)
            self._sum_up(connection, target, fresh, now)
        stop = self._stop_of(connection, target)
        return Ack(target.index, target.attempt, batch.source, known, stop)

    def _target(self, connection: Connection, batch: Batch) -> Target:
        trial = self._held(connection, batch.experiment_uid, batch.index)
        if batch.attempt > trial.attempt:
            raise NotFound(f"trial {trial.name} has no attempt {batch.attempt}")
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
        ids = {
            name: self._name(connection, name) for name in {metric for metric, _, _, _ in samples}
        }
        rows = [
            (trial, ids[metric], attempt, time, source, sequence, encode(value), step, late)
            for sequence, (metric, value, time, step) in enumerate(samples, first)
        ]
        try:
            self._database.insert_rows(connection, observations, rows)
        except OverflowError as error:  # SQLite's driver on a step beyond 64 bits
            raise unfit(error) from error

    def _sum_up(
        self, connection: Connection, target: Target, samples: Sequence[PlainSample], now: float
    ) -> None:
        objective, rule = self._rules_of(connection, target.owner)
        known = self._observation(connection, target.trial, target.attempt)
        summed = summarize_on(known, samples)
        self._write_summaries(connection, target, known, summed)
        if rule is not None and target.current and not target.finished:
            reports = reports_of(target, objective, known.get(objective.metric.name), samples)
            self._follow_curve(connection, target, reports, now)

    def _write_summaries(
        self,
        connection: Connection,
        target: Target,
        known: Observation,
        summed: Observation,
    ) -> None:
        new, changed = [], []
        for metric, summary in summed.items():
            key = (target.trial, target.attempt, self._name(connection, metric))
            if metric not in known:
                names = ("trial_id", "attempt", "metric_id")
                new.append(dict(zip(names, key, strict=True)) | _columns(summary))
            else:
                names = ("key_trial_id", "key_attempt", "key_metric_id")
                changed.append(dict(zip(names, key, strict=True)) | _columns(summary))
        _NEW_SUMMARY.many(connection, new)
        _RENEW.many(connection, changed)

    # Names.

    def _name(self, connection: Connection, text: str) -> int:
        known = self._names.get(text)
        if known is None:
            _check_name(text)
            row = _NAME(connection, text=text).scalar()
            if row is None:
                row = self._database.insert_name(connection, names, text)
            known = self._names.learn(text, int(row))
        return known

    def _known(self, connection: Connection, text: str) -> int:
        """Return the id of a name, -1 when nothing was ever reported under it."""
        row = _NAME(connection, text=text).scalar()
        return -1 if row is None else int(row)

    def _text(self, connection: Connection, name: int) -> str:
        known = self._texts.get(name)
        if known is None:
            query = select(names.c.text).where(names.c.id == name)
            known = self._texts.learn(name, connection.execute(query).scalar_one())
        return known

    # For the other parts.

    def _observation(self, connection: Connection, trial_id: int, attempt: int) -> Observation:
        return {
            self._text(connection, metric): summary
            for metric, summary in self._summaries(connection, trial_id, attempt).items()
        }

    def _summaries(self, connection: Connection, trial_id: int, attempt: int) -> dict[int, Summary]:
        rows = _SUMMARIES(connection, trial=trial_id, number=attempt)
        return {row.metric_id: summary_of(row) for row in rows}

    def _observations(
        self, connection: Connection, trial_ids: Sequence[int]
    ) -> Mapping[tuple[int, int], Observation]:
        query = select(summaries).where(summaries.c.trial_id.in_(trial_ids))
        return self._by_trial(connection, connection.execute(query))

    def _by_trial(
        self, connection: Connection, rows: Iterable[Any]
    ) -> Mapping[tuple[int, int], Observation]:
        found: dict[tuple[int, int], dict[str, Summary]] = {}
        for row in rows:
            of_attempt = found.setdefault((row.trial_id, row.attempt), {})
            of_attempt[self._text(connection, row.metric_id)] = summary_of(row)
        return found


def _check_name(text: str) -> None:
    """Refuse a name of a metric or a source that some database would cut or not take."""
    if len(text) > LONGEST_NAME or "\0" in text or not _is_unicode(text):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        remedy = f"use at most {LONGEST_NAME} characters of Unicode, without NUL"
        raise Invalid([Fault("metric", f"{shown!a} cannot be kept as a name", remedy)])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _columns(summary: Summary) -> dict[str, Any]:
    return {
        "min": encode(summary.min),
        "max": encode(summary.max),
        "latest": encode(summary.latest),
        "count": summary.count,
        "sum": encode(summary.sum),
        "latest_time": summary.latest_time,
        "min_step": summary.min_step,
        "max_step": summary.max_step,
        "latest_step": summary.latest_step,
        "numbers": summary.numbers,
    }


def _pages(connection: Connection, query: Any) -> Iterator[Any]:
    """Fetch rows as they are wanted, so that a long log is never in memory whole."""
    yield from connection.execute(query, execution_options={"yield_per": PAGE})
