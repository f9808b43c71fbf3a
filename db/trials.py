"""The rows of trials and attempts, the log, and the totals that are kept with them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from ..api.errors import Conflict
from ..api.history import Finished, Proposal, Proposed, verdict_of
from ..api.observation import Observation, as_text
from ..api.states import TRIAL_EDGES, TrialState, passage
from . import trial_statements as run
from .records import AttemptState, Usage
from .rows import legible, proposal_text
from .schema import encode, experiments, log, outputs, trials
from .trial_reading import TrialReading, finished_entry


class Trials(TrialReading):
    """The part of the store that writes trials."""

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
            taken = run.TAKE(connection, owner=owner, first=first_index, count=count)
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
            run.NEW_TRIAL.many(
                connection,
                (
                    _new_trial(owner, entry, name, now)
                    for entry, (name, _) in zip(entries, proposals, strict=True)
                ),
            )
            run.NEW_ENTRY.many(
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
            run.NEW_ATTEMPT(
                connection,
                trial_id=trial.id,
                attempt=attempt,
                state=str(AttemptState.STARTING),
                token=token,
                started_at=now,
                reason="",
                message="",
                **_columns(Usage()),
            )
            run.SET_ATTEMPT(connection, key_id=trial.id, attempt=attempt, retry_at=None)

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
            run.ATTEMPT_RUNS(
                connection,
                trial=trial.id,
                number=attempt,
                pid=pid,
                pid_started_at=pid_started_at,
            )
            if trial.state == TrialState.CREATED:
                self._pass_trial(connection, trial, TrialState.RUNNING)
                run.TRIAL_RUNS(
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
        output: Mapping[str, bytes] | None = None,
    ) -> None:
        def work(connection: Connection) -> None:
            trial = self._held(connection, uid, index)
            ended = run.ATTEMPT_ENDS(
                connection,
                trial=trial.id,
                number=attempt,
                state=str(AttemptState.ENDED),
                ended_at=now,
                exit_code=exit_code,
                reason=reason,
                message=legible(message),
                **_columns(usage),
            )
            if ended.rowcount and output:
                key = {"trial_id": trial.id, "attempt": attempt}
                run.NEW_OUTPUT.many(
                    connection,
                    [{**key, "stream": name, "tail": tail} for name, tail in output.items()],
                )

        self._database.write(work)

    def keep_output(self, uid: str, index: int, attempt: int, stream: str, tail: bytes) -> None:
        def work(connection: Connection) -> None:
            key = {"trial_id": self._held(connection, uid, index).id, "attempt": attempt}
            old = [outputs.c[name] == value for name, value in key.items()]
            connection.execute(delete(outputs).where(*old, outputs.c.stream == stream))
            run.NEW_OUTPUT.many(connection, [{**key, "stream": stream, "tail": tail}])

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
            run.TRIAL_RETRIES(
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
        min_delta: float = 0.0,
        now: float,
    ) -> Finished:
        def work(connection: Connection) -> Finished:
            trial = self._held(connection, uid, index)
            if TrialState(trial.state).is_finished:
                return self._finished_entry(connection, trial)
            # Held from here on: nobody else ends a trial, or takes the position of this end.
            held = run.HELD_EXPERIMENT(connection, owner=trial.experiment_id).first()
            objective, _ = self._rules_of(connection, trial.experiment_id, held.version)
            outcome = objective.outcome(self._runs(connection, trial))
            entry = Finished(
                held.position + 1,
                trial.idx,
                state,
                verdict_of(outcome, state, own_failure=own_failure),
                outcome.value,
                outcome.values,
                outcome.deviation,
            )
            value, loss = entry.value, entry.loss(objective)
            self._pass_trial(
                connection,
                trial,
                state,
                observed_more=int(value is not None),
                keep=0 if self._improves(connection, trial, loss, min_delta) else 1,
            )
            run.TRIAL_ENDS(
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
                verdict=str(entry.verdict),
                deviation=encode(entry.deviation),
                text=as_text(value),
            )
            _log_end(connection, trial.experiment_id, entry)
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
            run.NEW_ENTRY(connection, **_log_row(trial.experiment_id, position, "dropped", index))
            self._event(
                connection,
                trial.experiment_id,
                index=index,
                kind="Normal",
                reason="TrialDropped",
                message=f"Trial {trial.name} was dropped by a person",
                now=now,
            )

        self._database.write(work)

    def _improves(
        self, connection: Connection, trial: Any, loss: float | None, min_delta: float
    ) -> bool:
        best = run.BEST_LOSS(connection, owner=trial.experiment_id).scalar()
        return loss is not None and (best is None or best - loss > min_delta)

    def _runs(self, connection: Connection, trial: Any) -> list[Observation]:
        """Return what the point's runs reported: those that ended well, and the last."""
        last = self._summaries.of_attempt(connection, trial.id, trial.attempt)
        if trial.attempt < 2:
            return [last]
        return [*self._earlier(connection, [trial.id]).get(trial.id, ()), last]

    def _pass_trial(
        self, connection: Connection, trial: Any, state: TrialState, **totals: int
    ) -> None:
        """Move a trial through the door in the totals of its experiment."""
        old = TrialState(trial.state)
        passage(TRIAL_EDGES, old, state)
        never_began = state is TrialState.KILLED and not trial.attempt
        if never_began:
            run.UNBEGUN(connection, owner=trial.experiment_id)
        else:
            run.PASSING[old, state](connection, owner=trial.experiment_id, **totals)

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
        return finished_entry(row.position, row.metrics, trial)


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


def _columns(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in run.USE}


def _log_end(connection: Connection, owner: int, entry: Finished) -> None:
    text = json.dumps(dict(entry.values)) if entry.values else ""
    run.NEW_ENTRY(connection, **_log_row(owner, entry.position, "finished", entry.index, text))


def _log_row(owner: int, position: int, kind: str, index: int, metrics: str = "") -> dict[str, Any]:
    return {
        "experiment_id": owner,
        "position": position,
        "kind": kind,
        "idx": index,
        "metrics": metrics,
    }
