"""Trials as they are read: by the engine, by algorithms, by people."""

import json
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from ..api.errors import Conflict, NotFound
from ..api.history import Dropped, Entry, Finished, Proposed, Verdict
from ..api.identity import ExperimentKey
from ..api.observation import Observation
from ..api.states import TrialState
from . import trial_statements as run
from .part import Part
from .records import COMPLETED, AttemptRecord, ExperimentRecord, TrialRecord, View, Wish
from .rows import (
    attempt_record,
    ended_record,
    experiment_record,
    proposal_of,
    stop_row,
    trial_record,
    waiting_record,
)
from .schema import attempts, decode, experiments, outputs, stops, trials
from .statements import AT_ONCE, Prepared


class TrialReading(Part):
    """The part of the store that reads trials."""

    def view(self, uid: str) -> View:
        with self._database.reading() as connection:
            row = self._row(connection, uid)
            key = {"owner": row.id}
            best = tuple(map(ended_record, run.BEST_TRIALS(connection, **key, most=run.BEST)))
            tried = {each.trial_id: each for each in run.THEIR_ATTEMPTS(connection, **key)}
            stopped = {each.trial_id: each for each in run.THEIR_STOPS(connection, **key)}
            reported = run.THEIR_SUMMARIES(connection, **key).rows
            summed = self._summaries.by_attempt(connection, reported)
            rows = sorted(run.UNFINISHED(connection, **key), key=attrgetter("idx"))
            again = [each.id for each in rows if each.attempt > 1]
            earlier = self._earlier(connection, again) if again else {}
            unfinished = tuple(
                trial_record(
                    each,
                    attempt_record(tried[each.id]),
                    stop_row(each.idx, stopped[each.id]) if each.id in stopped else None,
                    summed.get((each.id, each.attempt), {}),
                    earlier.get(each.id, ()),
                )
                if each.id in tried
                else waiting_record(each)
                for each in rows
            )
            wishes = tuple(
                Wish(each.id, each.verb, json.loads(each.arguments), each.asked_at)
                for each in run.WISHES(connection, **key)
            )
            experiment = experiment_record(row, best, self._document(row))
            return View(experiment, unfinished, wishes)

    def experiment(self, key: ExperimentKey) -> ExperimentRecord:
        query = select(experiments).where(
            experiments.c.namespace == key.namespace, experiments.c.name == key.name
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise NotFound(f"there is no experiment {key}")
            return experiment_record(row, self._best(connection, row.id))

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        with self._database.reading() as connection:
            key = {"owner": self._id(connection, uid), "after": after}
            rows = (
                run.LOG(connection, **key)
                if limit is None
                else run.SOME_OF_LOG(connection, **key, most=limit)
            )
            return [_entry(row) for row in rows]

    def trials(
        self,
        uid: str,
        *,
        states: Sequence[TrialState] | None = None,
        after: int = -1,
        limit: int | None = None,
        newest_first: bool = False,
        observations: bool = False,
    ) -> Sequence[TrialRecord]:
        with self._database.reading() as connection:
            query = select(trials).where(trials.c.experiment_id == self._id(connection, uid))
            if states is not None:
                query = query.where(trials.c.state.in_(states))
            if newest_first:
                query = query.where(trials.c.idx < after) if after >= 0 else query
                query = query.order_by(trials.c.idx.desc())
            else:
                query = query.where(trials.c.idx > after).order_by(trials.c.idx)
            rows = connection.execute(query.limit(limit)).all()
            return self._records(connection, rows, observations=observations)

    def trial(self, uid: str, index: int) -> TrialRecord:
        with self._database.reading() as connection:
            row = self._trial(connection, uid, index)
            return self._records(connection, [row], observations=True)[0]

    def best_trials(self, uid: str, limit: int) -> Sequence[TrialRecord]:
        with self._database.reading() as connection:
            return self._best(connection, self._id(connection, uid), limit)

    def find_trial(self, name: str, namespace: str | None = None) -> tuple[str, int]:
        query = (
            select(experiments.c.uid, experiments.c.namespace, trials.c.idx)
            .join_from(trials, experiments, trials.c.experiment_id == experiments.c.id)
            .where(trials.c.name == name)
            .order_by(trials.c.id)
        )
        if namespace is not None:
            query = query.where(experiments.c.namespace == namespace)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        if not rows:
            raise NotFound(f"there is no trial {name}")
        # A plug-in may give a name again once the experiment that had it is deleted.
        newest = {row.namespace: row for row in rows}
        if len(newest) > 1:
            places = ", ".join(sorted(newest))
            raise Conflict(f"trials of several namespaces are called {name} ({places}): name one")
        return rows[-1].uid, rows[-1].idx

    def attempts(self, uid: str, index: int) -> Sequence[AttemptRecord]:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            query = (
                select(attempts).where(attempts.c.trial_id == trial.id).order_by(attempts.c.attempt)
            )
            return [attempt_record(row) for row in connection.execute(query)]

    def output(self, uid: str, index: int, attempt: int, stream: str) -> bytes:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            query = select(outputs.c.tail).where(
                outputs.c.trial_id == trial.id,
                outputs.c.attempt == attempt,
                outputs.c.stream == stream,
            )
            return bytes(connection.execute(query).scalar() or b"")

    def _trial(self, connection: Connection, uid: str, index: int) -> Any:
        return self._one(connection, run.TRIAL, uid, index)

    def _held(self, connection: Connection, uid: str, index: int) -> Any:
        """Return the trial's row, and lock it until the transaction ends."""
        return self._one(connection, run.HELD, uid, index)

    def _one(self, connection: Connection, statement: Prepared, uid: str, index: int) -> Any:
        row = statement(connection, owner=self._id(connection, uid), idx=index).first()
        if row is None:
            row = statement(connection, owner=self._id_anew(connection, uid), idx=index).first()
        if row is None:
            raise NotFound(f"there is no trial {index} of experiment {uid}")
        return row

    def _position(self, connection: Connection, owner: int) -> int:
        return int(run.POSITION(connection, owner=owner).scalar())

    def _best(
        self, connection: Connection, experiment_id: int, most: int = run.BEST
    ) -> tuple[TrialRecord, ...]:
        rows = run.BEST_TRIALS(connection, owner=experiment_id, most=most).rows
        return tuple(self._records(connection, rows, observations=True))

    def _records(
        self, connection: Connection, rows: Sequence[Any], *, observations: bool
    ) -> list[TrialRecord]:
        """Complete trial rows with their last attempts, stops and summaries."""
        found = []
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            found += self._some_records(connection, some, observations=observations)
        return found

    def _some_records(
        self, connection: Connection, rows: Sequence[Any], *, observations: bool
    ) -> list[TrialRecord]:
        if not rows:
            return []
        keys = [row.id for row in rows]
        tried = {
            (row.trial_id, row.attempt): attempt_record(row)
            for row in connection.execute(select(attempts).where(attempts.c.trial_id.in_(keys)))
        }
        stopped = {
            (row.trial_id, row.attempt): row
            for row in connection.execute(select(stops).where(stops.c.trial_id.in_(keys)))
        }
        summed = self._summaries.of_trials(connection, keys) if observations else {}
        records = []
        for row in rows:
            key = (row.id, row.attempt)
            stop = stopped.get(key)
            records.append(
                trial_record(
                    row,
                    tried.get(key),
                    None if stop is None else stop_row(row.idx, stop),
                    summed.get(key, {}) if observations else None,
                )
            )
        return records

    def _earlier(
        self, connection: Connection, keys: Sequence[int]
    ) -> Mapping[int, tuple[Observation, ...]]:
        """Return by trial what its earlier attempts reported, of those that ended well."""
        ended = connection.execute(
            select(attempts.c.trial_id, attempts.c.attempt)
            .join_from(attempts, trials, attempts.c.trial_id == trials.c.id)
            .where(
                trials.c.id.in_(keys),
                attempts.c.attempt < trials.c.attempt,
                attempts.c.reason == COMPLETED,
            )
            .order_by(attempts.c.attempt)
        ).all()
        summed = self._summaries.of_trials(connection, keys) if ended else {}
        found: dict[int, tuple[Observation, ...]] = {}
        for trial, attempt in ended:
            found[trial] = (*found.get(trial, ()), summed.get((trial, attempt), {}))
        return found


def _entry(row: Any) -> Entry:
    if row.kind == "proposed":
        return Proposed(row.position, row.idx, proposal_of(row.proposal), row.made_from)
    if row.kind == "dropped":
        return Dropped(row.position, row.idx)
    return finished_entry(row.position, row.metrics, row)


def finished_entry(position: int, metrics: str, trial: Any) -> Finished:
    return Finished(
        position,
        trial.idx,
        TrialState(trial.state),
        Verdict(trial.verdict),
        decode(trial.value, trial.text) if trial.observed else None,
        tuple(json.loads(metrics).items()) if metrics else (),
        None if trial.deviation is None else decode(trial.deviation),
    )
