"""The rows of trials and attempts, the log, and the totals that are kept with them."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, or_, select, update

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
    legible,
    proposal_of,
    proposal_text,
    stop_row,
    trial_record,
)
from .schema import (
    attempts,
    decode,
    encode,
    experiments,
    log,
    stops,
    summaries,
    trials,
    wishes,
)
from .statements import Prepared, insert_of, update_of

BEST = 5
"""How many of the best trials an experiment shows."""

_TRIAL = Prepared(
    select(trials).where(
        trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx")
    )
)
# Who writes about a trial holds its row, so that two of them come one after the other.
# SQLite needs nothing: a writing transaction is alone there.
_HELD = Prepared(
    select(trials)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx"))
    .with_for_update(key_share=True)
)
_HELD_EXPERIMENT = Prepared(
    select(experiments.c.id)
    .where(experiments.c.id == bindparam("owner"))
    .with_for_update(key_share=True)
)
_BEST = Prepared(
    select(trials)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss, trials.c.idx)
    .limit(BEST)
)
_BEST_LOSS = Prepared(
    select(trials.c.loss)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss)
    .limit(1)
)
_IS_UNFINISHED = (trials.c.experiment_id == bindparam("owner")) & or_(
    trials.c.state == str(TrialState.CREATED), trials.c.state == str(TrialState.RUNNING)
)
# Unordered: asked for an order, SQLite walks all trials by index to find the few.
_UNFINISHED = Prepared(select(trials).where(_IS_UNFINISHED))
_THEIR_ATTEMPTS = Prepared(
    select(attempts)
    .join_from(
        attempts,
        trials,
        (attempts.c.trial_id == trials.c.id) & (attempts.c.attempt == trials.c.attempt),
    )
    .where(_IS_UNFINISHED)
)
_THEIR_STOPS = Prepared(
    select(stops)
    .join_from(
        stops, trials, (stops.c.trial_id == trials.c.id) & (stops.c.attempt == trials.c.attempt)
    )
    .where(_IS_UNFINISHED)
)
_THEIR_SUMMARIES = Prepared(
    select(summaries)
    .join_from(
        summaries,
        trials,
        (summaries.c.trial_id == trials.c.id) & (summaries.c.attempt == trials.c.attempt),
    )
    .where(_IS_UNFINISHED)
)
_WISHES = Prepared(
    select(wishes)
    .where(wishes.c.experiment_id == bindparam("owner"), wishes.c.answered.is_(False))
    .order_by(wishes.c.id)
)
_ENTRIES = (
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
    .where(log.c.experiment_id == bindparam("owner"), log.c.position > bindparam("after"))
    .order_by(log.c.position)
)
_LOG = Prepared(_ENTRIES)
_SOME_OF_LOG = Prepared(_ENTRIES.limit(bindparam("most", type_=Integer)))
_POSITION = Prepared(select(experiments.c.position).where(experiments.c.id == bindparam("owner")))
_TAKE = Prepared(
    update(experiments)
    .where(experiments.c.id == bindparam("owner"), experiments.c.proposed == bindparam("first"))
    .values(
        proposed=experiments.c.proposed + bindparam("count"),
        position=experiments.c.position + bindparam("count"),
        trials_created=experiments.c.trials_created + bindparam("count"),
    )
)
_NEW_TRIAL = insert_of(
    trials,
    *("experiment_id", "idx", "name", "state", "reason", "message", "proposal", "made_from"),
    *("created_at", "attempt", "retries", "observed", "dropped"),
)
_NEW_ENTRY = insert_of(log)
_NEW_ATTEMPT = insert_of(
    attempts,
    *("trial_id", "attempt", "state", "token", "started_at", "reason", "message"),
    *("wall_seconds", "cpu_seconds", "peak_memory_bytes", "device_seconds"),
)
_SET_ATTEMPT = update_of(trials, ("id",), ("attempt", "retry_at"))
_ATTEMPT_RUNS = Prepared(
    update(attempts)
    .where(
        attempts.c.trial_id == bindparam("trial"),
        attempts.c.attempt == bindparam("number"),
        attempts.c.state == str(AttemptState.STARTING),
    )
    .values(
        state=str(AttemptState.RUNNING),
        pid=bindparam("pid"),
        pid_started_at=bindparam("pid_started_at"),
    )
)
_END = ("state", "ended_at", "exit_code", "reason", "message")
_USE = ("wall_seconds", "cpu_seconds", "peak_memory_bytes", "device_seconds")
_ATTEMPT_ENDS = Prepared(
    update(attempts)
    .where(
        attempts.c.trial_id == bindparam("trial"),
        attempts.c.attempt == bindparam("number"),
        attempts.c.state != str(AttemptState.ENDED),
    )
    .values({name: bindparam(name) for name in (*_END, *_USE)})
)
_TRIAL_RUNS = update_of(trials, ("id",), ("state", "reason", "message", "started_at"))
_TRIAL_ENDS = update_of(
    trials,
    ("id",),
    (
        *("state", "reason", "message", "finished_at", "retry_at"),
        *("observed", "value", "loss", "verdict"),
    ),
)
_TRIAL_RETRIES = update_of(trials, ("id",), ("state", "reason", "message", "retries", "retry_at"))
_TOTALS_OF_END = {
    "observed": experiments.c.observed + bindparam("observed_more"),
    "since_improvement": experiments.c.since_improvement * bindparam("keep") + bindparam("keep"),
    "position": experiments.c.position + 1,
}


def _passing(old: TrialState, new: TrialState, totals: Mapping[str, Any]) -> Prepared:
    leaves, enters = STATE_COLUMNS[old], STATE_COLUMNS[new]
    counts: dict[str, Any] = {
        leaves: experiments.c[leaves] - 1,
        enters: experiments.c[enters] + 1,
        **totals,
    }
    return Prepared(
        update(experiments).where(experiments.c.id == bindparam("owner")).values(counts)
    )


_PASSING = {
    (old, new): _passing(old, new, _TOTALS_OF_END if new.is_finished else {})
    for old, edges in TRIAL_EDGES.items()
    for new in edges
}


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
            taken = _TAKE(connection, owner=owner, first=first_index, count=count)
            if taken.rowcount == 0:
                raise Conflict(
                    f"trial {first_index} is not the next one: another engine was faster"
                )
            end = self._position(connection, owner)
            entries = [
                Proposed(end - count + 1 + offset, first_index + offset, proposal, made_from)
                for offset, (_, proposal) in enumerate(proposals)
            ]
            if not entries:
                return entries
            _NEW_TRIAL.many(
                connection,
                (
                    _new_trial(owner, entry, name, now)
                    for entry, (name, _) in zip(entries, proposals, strict=True)
                ),
            )
            _NEW_ENTRY.many(
                connection,
                (_log_row(owner, entry.position, "proposed", entry.index) for entry in entries),
            )
            return entries

        return self._database.write(work)

    def start_attempt(self, uid: str, index: int, attempt: int, *, token: str, now: float) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, index)
            if trial.attempt >= attempt:
                return
            _NEW_ATTEMPT(
                connection,
                trial_id=trial.id,
                attempt=attempt,
                state=str(AttemptState.STARTING),
                token=token,
                started_at=now,
                reason="",
                message="",
                **asdict(Usage()),
            )
            _SET_ATTEMPT(connection, key_id=trial.id, attempt=attempt, retry_at=None)

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
            trial = self._held(connection, uid, index)
            _ATTEMPT_RUNS(
                connection,
                trial=trial.id,
                number=attempt,
                pid=pid,
                pid_started_at=pid_started_at,
            )
            if trial.state == TrialState.CREATED:
                self._pass_trial(connection, trial, TrialState.RUNNING)
                _TRIAL_RUNS(
                    connection,
                    key_id=trial.id,
                    state=str(TrialState.RUNNING),
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
            trial = self._held(connection, uid, index)
            _ATTEMPT_ENDS(
                connection,
                trial=trial.id,
                number=attempt,
                state=str(AttemptState.ENDED),
                ended_at=now,
                exit_code=exit_code,
                reason=reason,
                message=legible(message),
                **asdict(usage),
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
            trial = self._held(connection, uid, index)
            if trial.state == TrialState.RUNNING:
                self._pass_trial(connection, trial, TrialState.CREATED)
            _TRIAL_RETRIES(
                connection,
                key_id=trial.id,
                state=str(TrialState.CREATED),
                reason=reason,
                message=legible(message),
                retries=trial.retries + int(counted),
                retry_at=retry_at,
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
            trial = self._held(connection, uid, index)
            if TrialState(trial.state).is_finished:
                return self._finished_entry(connection, trial)
            objective, _ = self._rules_of(connection, trial.experiment_id)
            observation = self._observation(connection, trial.id, trial.attempt)
            value = objective.value(observation)
            verdict = _verdict(value, state, own_failure=own_failure)
            # The best is compared with and counted since: nobody else may end a trial between.
            if connection.dialect.name != "sqlite":
                _HELD_EXPERIMENT(connection, owner=trial.experiment_id)
            best = _BEST_LOSS(connection, owner=trial.experiment_id).scalar()
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
                observed_more=int(value is not None),
                keep=0 if improved else 1,
            )
            _TRIAL_ENDS(
                connection,
                key_id=trial.id,
                state=str(state),
                reason=reason,
                message=legible(message),
                finished_at=now,
                retry_at=None,
                observed=value is not None,
                value=encode(value),
                loss=encode(loss),
                verdict=str(verdict),
            )
            position = self._position(connection, trial.experiment_id)
            entry = Finished(position, index, state, verdict, value, tuple(metrics.items()))
            text = json.dumps(metrics) if metrics else ""
            _NEW_ENTRY(
                connection, **_log_row(trial.experiment_id, position, "finished", index, text)
            )
            return entry

        return self._database.write(work)

    def drop_trial(self, uid: str, index: int, *, now: float) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, index)
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
            _NEW_ENTRY(connection, **_log_row(trial.experiment_id, position, "dropped", index))
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
            row = self._row(connection, uid)
            key = {"owner": row.id}
            best = tuple(trial_record(each, None, None) for each in _BEST(connection, **key))
            tried = {each.trial_id: each for each in _THEIR_ATTEMPTS(connection, **key)}
            stopped = {each.trial_id: each for each in _THEIR_STOPS(connection, **key)}
            summed = self._by_trial(connection, _THEIR_SUMMARIES(connection, **key))
            unfinished = [
                trial_record(
                    each,
                    attempt_record(tried[each.id]) if each.id in tried else None,
                    stop_row(each.idx, stopped[each.id]) if each.id in stopped else None,
                    summed.get((each.id, each.attempt), {}),
                )
                for each in sorted(_UNFINISHED(connection, **key), key=attrgetter("idx"))
            ]
            wishes_ = [
                Wish(each.id, each.verb, json.loads(each.arguments), each.asked_at)
                for each in _WISHES(connection, **key)
            ]
            experiment = experiment_record(row, best, self._document(row))
            return View(experiment, tuple(unfinished), tuple(wishes_))

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        with self._database.reading() as connection:
            key = {"owner": self._id(connection, uid), "after": after}
            rows = (
                _LOG(connection, **key)
                if limit is None
                else _SOME_OF_LOG(connection, **key, most=limit)
            )
            return [_entry(row) for row in rows]

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

    def _trial(self, connection: Connection, uid: str, index: int) -> Any:
        return self._one(connection, _TRIAL, uid, index)

    def _held(self, connection: Connection, uid: str, index: int) -> Any:
        """Return the trial's row, and keep others from writing about it until the end."""
        return self._one(connection, _HELD, uid, index)

    def _one(self, connection: Connection, statement: Prepared, uid: str, index: int) -> Any:
        row = statement(connection, owner=self._id(connection, uid), idx=index).first()
        if row is None:
            raise NotFound(f"there is no trial {index} of experiment {uid}")
        return row

    def _pass_trial(
        self, connection: Connection, trial: Any, state: TrialState, **totals: int
    ) -> None:
        """Move a trial through the door in the totals of its experiment."""
        old = TrialState(trial.state)
        passage(TRIAL_EDGES, old, state)
        _PASSING[old, state](connection, owner=trial.experiment_id, **totals)

    def _position(self, connection: Connection, owner: int) -> int:
        return int(_POSITION(connection, owner=owner).scalar())

    def _finished_entry(self, connection: Connection, trial: Any) -> Finished:
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
        rows = _BEST(connection, owner=experiment_id).rows
        return tuple(self._records(connection, rows, observations=True))

    def _records(
        self, connection: Connection, rows: Sequence[Any], *, observations: bool
    ) -> list[TrialRecord]:
        """Complete trial rows with their last attempts, stops and summaries."""
        found = []
        for start in range(0, len(rows), 500):
            found += self._some_records(
                connection, rows[start : start + 500], observations=observations
            )
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

    def _by_trial(
        self, connection: Connection, rows: Iterable[Any]
    ) -> Mapping[tuple[int, int], Observation]:
        raise NotImplementedError


def _new_trial(owner: int, entry: Proposed, name: str, now: float) -> dict[str, Any]:
    return {
        "experiment_id": owner,
        "idx": entry.index,
        "name": name,
        "state": str(TrialState.CREATED),
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
