"""The rows of trials and attempts, the log, and the totals that are kept with them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ..api.errors import Conflict, NotFound
from ..api.history import Dropped, Entry, Finished, Proposal, Proposed, Verdict
from ..api.observation import Observation
from ..api.states import TRIAL_EDGES, TrialState, passage
from .experiments import Experiments
from .records import (
    AttemptRecord,
    AttemptState,
    TrialRecord,
    Usage,
    View,
    Wish,
)
from .rows import (
    STATE_COLUMNS,
    attempt_record,
    experiment_record,
    proposal_of,
    proposal_text,
    stop_row,
    trial_record,
)
from .schema import attempts, decode, encode, experiments, log, stops, trials, wishes

BEST = 5
"""How many of the best trials an experiment shows."""

_TRIAL = select(trials).where(
    trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx")
)
_BEST = (
    select(trials)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss, trials.c.idx)
    .limit(BEST)
)
_BEST_LOSS = (
    select(trials.c.loss)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss)
    .limit(1)
)
_ATTEMPT = select(attempts).where(
    attempts.c.trial_id == bindparam("trial"), attempts.c.attempt == bindparam("attempt")
)
_UNFINISHED = (
    select(trials)
    .where(
        trials.c.experiment_id == bindparam("owner"),
        trials.c.state.in_((TrialState.CREATED, TrialState.RUNNING)),
    )
    .order_by(trials.c.idx)
)


class Trials(Experiments):
    """The part of the store that is about trials."""

    def propose(
        self,
        uid: str,
        first_index: int,
        proposals: Sequence[tuple[str, Proposal]],
        *,
        made_from: int,
        now: float,
    ) -> Sequence[Proposed]:
        def work(connection: Connection) -> Sequence[Proposed]:
            owner = self._id(connection, uid)
            count = len(proposals)
            taken = connection.execute(
                update(experiments)
                .where(experiments.c.id == owner, experiments.c.proposed == first_index)
                .values(
                    proposed=first_index + count,
                    position=experiments.c.position + count,
                    trials_created=experiments.c.trials_created + count,
                )
            )
            if taken.rowcount == 0:
                raise Conflict(
                    f"trial {first_index} is not the next one: another engine was faster"
                )
            end = connection.execute(
                select(experiments.c.position).where(experiments.c.id == owner)
            ).scalar_one()
            entries = [
                Proposed(end - count + 1 + offset, first_index + offset, proposal, made_from)
                for offset, (_, proposal) in enumerate(proposals)
            ]
            if not entries:
                return entries
            connection.execute(
                insert(trials),
                [
                    _new_trial(owner, entry, name, now)
                    for entry, (name, _) in zip(entries, proposals, strict=True)
                ],
            )
            connection.execute(
                insert(log),
                [_log_row(owner, entry.position, "proposed", entry.index) for entry in entries],
            )
            return entries

        return self._database.write(work)

    def start_attempt(self, uid: str, index: int, attempt: int, *, token: str, now: float) -> None:
        def work(connection: Connection) -> None:
            trial = self._trial(connection, uid, index)
            if trial.attempt >= attempt:
                return
            connection.execute(
                insert(attempts),
                {
                    "trial_id": trial.id,
                    "attempt": attempt,
                    "state": AttemptState.STARTING,
                    "token": token,
                    "started_at": now,
                    "reason": "",
                    "message": "",
                    "wall_seconds": 0.0,
                    "cpu_seconds": 0.0,
                    "peak_memory_bytes": 0,
                    "device_seconds": 0.0,
                },
            )
            connection.execute(
                update(trials).where(trials.c.id == trial.id).values(attempt=attempt, retry_at=None)
            )

        self._database.write(work)

    def attempt_running(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        pid: int | None,
        pid_started_at: float | None,
        now: float,
    ) -> None:
        def work(connection: Connection) -> None:
            trial = self._trial(connection, uid, index)
            connection.execute(
                update(attempts)
                .where(
                    attempts.c.trial_id == trial.id,
                    attempts.c.attempt == attempt,
                    attempts.c.state == AttemptState.STARTING,
                )
                .values(state=AttemptState.RUNNING, pid=pid, pid_started_at=pid_started_at)
            )
            if trial.state == TrialState.CREATED:
                self._pass_trial(
                    connection,
                    trial,
                    TrialState.RUNNING,
                    reason="TrialRunning",
                    message="Trial is running",
                    started_at=trial.started_at or now,
                )

        self._database.write(work)

    def attempt_ended(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        exit_code: int | None,
        reason: str,
        message: str,
        usage: Usage,
        now: float,
    ) -> None:
        def work(connection: Connection) -> None:
            trial = self._trial(connection, uid, index)
            connection.execute(
                update(attempts)
                .where(
                    attempts.c.trial_id == trial.id,
                    attempts.c.attempt == attempt,
                    attempts.c.state != AttemptState.ENDED,
                )
                .values(
                    state=AttemptState.ENDED,
                    ended_at=now,
                    exit_code=exit_code,
                    reason=reason,
                    message=message,
                    wall_seconds=usage.wall_seconds,
                    cpu_seconds=usage.cpu_seconds,
                    peak_memory_bytes=usage.peak_memory_bytes,
                    device_seconds=usage.device_seconds,
                )
            )

        self._database.write(work)

    def retry_trial(
        self,
        uid: str,
        index: int,
        *,
        counted: bool,
        retry_at: float,
        reason: str,
        message: str,
        now: float,
    ) -> None:
        def work(connection: Connection) -> None:
            trial = self._trial(connection, uid, index)
            changes = {"retries": trial.retries + int(counted), "retry_at": retry_at}
            if trial.state == TrialState.RUNNING:
                self._pass_trial(
                    connection, trial, TrialState.CREATED, reason=reason, message=message, **changes
                )
            else:
                connection.execute(
                    update(trials)
                    .where(trials.c.id == trial.id)
                    .values(reason=reason, message=message, **changes)
                )
            self._event(
                connection,
                trial.experiment_id,
                index=index,
                kind="Warning" if counted else "Normal",
                reason=reason,
                message=message,
                now=now,
            )

        self._database.write(work)

    def finish_trial(
        self,
        uid: str,
        index: int,
        state: TrialState,
        *,
        reason: str,
        message: str,
        own_failure: bool = False,
        now: float,
    ) -> Finished:
        def work(connection: Connection) -> Finished:
            trial = self._trial(connection, uid, index)
            if TrialState(trial.state).is_finished:
                return self._finished_entry(connection, trial)
            objective, _ = self._rules_of(connection, trial.experiment_id)
            observation = self._observation(connection, trial.id, trial.attempt)
            value = objective.value(observation)
            verdict = _verdict(value, state, own_failure=own_failure)
            best = connection.execute(_BEST_LOSS, {"owner": trial.experiment_id}).scalar()
            loss = (
                None if verdict is not Verdict.OBSERVED or value is None else objective.loss(value)
            )
            improved = loss is not None and (best is None or loss < best)
            metrics = {
                metric.name: metric.strategy.take(observation[metric.name])
                for metric in objective.additional
                if metric.name in observation
            }
            self._pass_trial(
                connection,
                trial,
                state,
                reason=reason,
                message=message,
                finished_at=now,
                retry_at=None,
                observed=value is not None,
                value=encode(value),
                loss=encode(loss),
                verdict=verdict,
                totals={
                    "observed": experiments.c.observed + int(value is not None),
                    "since_improvement": 0 if improved else experiments.c.since_improvement + 1,
                    "position": experiments.c.position + 1,
                },
            )
            position = self._position(connection, trial.experiment_id)
            entry = Finished(position, index, state, verdict, value, tuple(metrics.items()))
            text = json.dumps(metrics) if metrics else ""
            connection.execute(
                insert(log), _log_row(trial.experiment_id, position, "finished", index, text)
            )
            return entry

        return self._database.write(work)

    def drop_trial(self, uid: str, index: int, *, now: float) -> None:
        def work(connection: Connection) -> None:
            trial = self._trial(connection, uid, index)
            if trial.dropped:
                return
            connection.execute(
                update(trials).where(trials.c.id == trial.id).values(dropped=True, loss=None)
            )
            connection.execute(
                update(experiments)
                .where(experiments.c.id == trial.experiment_id)
                .values(
                    dropped=experiments.c.dropped + 1,
                    observed=experiments.c.observed - int(trial.observed),
                    position=experiments.c.position + 1,
                )
            )
            position = self._position(connection, trial.experiment_id)
            connection.execute(
                insert(log), _log_row(trial.experiment_id, position, "dropped", index)
            )
            self._event(
                connection,
                trial.experiment_id,
                index=index,
                kind="Normal",
                reason="TrialDropped",
                message=f"Trial {trial.name} was taken out by a person",
                now=now,
            )

        self._database.write(work)

    # What the engine reads.

    def view(self, uid: str) -> View:
        with self._database.reading() as connection:
            experiment = self._row(connection, uid)
            rows = connection.execute(_UNFINISHED, {"owner": experiment.id}).all()
            asked = connection.execute(
                select(wishes)
                .where(wishes.c.experiment_id == experiment.id, wishes.c.answered.is_(False))
                .order_by(wishes.c.id)
            ).all()
            return View(
                experiment_record(experiment, self._best(connection, experiment.id)),
                tuple(self._records(connection, rows, observations=True)),
                tuple(
                    Wish(row.id, row.verb, json.loads(row.arguments), row.asked_at) for row in asked
                ),
            )

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        query = (
            select(
                log.c.position,
                log.c.kind,
                log.c.idx,
                log.c.metrics,
                trials.c.proposal,
                trials.c.made_from,
                trials.c.state,
                trials.c.verdict,
                trials.c.observed,
                trials.c.value,
            )
            .join_from(
                log,
                trials,
                (trials.c.experiment_id == log.c.experiment_id) & (trials.c.idx == log.c.idx),
            )
            .where(log.c.position > after)
            .order_by(log.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            owner = self._id(connection, uid)
            return [
                _entry(row) for row in connection.execute(query.where(log.c.experiment_id == owner))
            ]

    # What people read.

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

    def find_trial(self, name: str, namespace: str | None = None) -> tuple[str, int]:
        query = (
            select(experiments.c.uid, experiments.c.namespace, trials.c.idx)
            .join_from(trials, experiments, trials.c.experiment_id == experiments.c.id)
            .where(trials.c.name == name)
        )
        if namespace is not None:
            query = query.where(experiments.c.namespace == namespace)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        if not rows:
            raise NotFound(f"there is no trial {name}")
        if len(rows) > 1:
            places = ", ".join(sorted(row.namespace for row in rows))
            raise Conflict(f"trials of several namespaces are called {name} ({places}): name one")
        return rows[0].uid, rows[0].idx

    def attempts(self, uid: str, index: int) -> Sequence[AttemptRecord]:
        with self._database.reading() as connection:
            trial = self._trial(connection, uid, index)
            query = (
                select(attempts).where(attempts.c.trial_id == trial.id).order_by(attempts.c.attempt)
            )
            return [attempt_record(row) for row in connection.execute(query)]

    # For the other parts.

    def _trial(self, connection: Connection, uid: str, index: int) -> Row[Any]:
        owner = self._id(connection, uid)
        row = connection.execute(_TRIAL, {"owner": owner, "idx": index}).first()
        if row is None:
            raise NotFound(f"there is no trial {index} of experiment {uid}")
        return row

    def _pass_trial(
        self,
        connection: Connection,
        trial: Row[Any],
        state: TrialState,
        *,
        totals: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Move a trial through the door, with the counts of its experiment."""
        old = TrialState(trial.state)
        passage(TRIAL_EDGES, old, state)
        connection.execute(
            update(trials).where(trials.c.id == trial.id).values(state=state, **changes)
        )
        leaves, enters = STATE_COLUMNS[old], STATE_COLUMNS[state]
        connection.execute(
            update(experiments)
            .where(experiments.c.id == trial.experiment_id)
            .values(
                {
                    leaves: experiments.c[leaves] - 1,
                    enters: experiments.c[enters] + 1,
                    **(totals or {}),
                }
            )
        )

    def _position(self, connection: Connection, owner: int) -> int:
        query = select(experiments.c.position).where(experiments.c.id == owner)
        return int(connection.execute(query).scalar_one())

    def _finished_entry(self, connection: Connection, trial: Row[Any]) -> Finished:
        row = connection.execute(
            select(log.c.position, log.c.metrics)
            .where(
                log.c.experiment_id == trial.experiment_id,
                log.c.idx == trial.idx,
                log.c.kind == "finished",
            )
            .limit(1)
        ).one()
        return _finished(row.position, row.metrics, trial)

    def _best(self, connection: Connection, experiment_id: int) -> tuple[TrialRecord, ...]:
        rows = connection.execute(_BEST, {"owner": experiment_id}).all()
        return tuple(self._records(connection, rows, observations=True))

    def _records(
        self, connection: Connection, rows: Sequence[Row[Any]], *, observations: bool
    ) -> list[TrialRecord]:
        """Complete trial rows with their last attempts, stops and summaries."""
        found = []
        for start in range(0, len(rows), 500):
            found += self._some_records(
                connection, rows[start : start + 500], observations=observations
            )
        return found

    def _some_records(
        self, connection: Connection, rows: Sequence[Row[Any]], *, observations: bool
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
        summed = self._observations(connection, keys) if observations else {}
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

    def _observation(self, connection: Connection, trial_id: int, attempt: int) -> Observation:
        raise NotImplementedError

    def _observations(
        self, connection: Connection, trial_ids: Sequence[int]
    ) -> Mapping[tuple[int, int], Observation]:
        raise NotImplementedError


def _new_trial(owner: int, entry: Proposed, name: str, now: float) -> dict[str, Any]:
    return {
        "experiment_id": owner,
        "idx": entry.index,
        "name": name,
        "state": TrialState.CREATED,
        "reason": "TrialCreated",
        "message": "Trial is created",
        "proposal": proposal_text(entry.proposal),
        "made_from": entry.made_from,
        "created_at": now,
        "attempt": 0,
        "retries": 0,
        "observed": False,
        "dropped": False,
    }


def _log_row(owner: int, position: int, kind: str, index: int, metrics: str = "") -> dict[str, Any]:
    return {
        "experiment_id": owner,
        "position": position,
        "kind": kind,
        "idx": index,
        "metrics": metrics,
    }


def _verdict(value: float | None, state: TrialState, *, own_failure: bool) -> Verdict:
    if own_failure:
        return Verdict.BAD
    if state not in {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED} or value is None:
        return Verdict.NOTHING
    return Verdict.BAD if math.isnan(value) else Verdict.OBSERVED


def _entry(row: Any) -> Entry:
    if row.kind == "proposed":
        return Proposed(row.position, row.idx, proposal_of(row.proposal), row.made_from)
    if row.kind == "dropped":
        return Dropped(row.position, row.idx)
    return _finished(row.position, row.metrics, row)


def _finished(position: int, metrics: str, trial: Any) -> Finished:
    return Finished(
        position,
        trial.idx,
        TrialState(trial.state),
        Verdict(trial.verdict),
        decode(trial.value) if trial.observed else None,
        tuple(json.loads(metrics).items()) if metrics else (),
    )
