"""The rows of experiments: their documents, their states, wishes and events."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..api.errors import Conflict
from ..api.identity import ExperimentKey
from ..api.remarks import is_label, labels_of
from ..api.states import EXPERIMENT_EDGES, ExperimentState, passage
from .part import Part
from .records import EventRow, ExperimentRecord, Wish
from .rows import STATE_COLUMNS, experiment_record, legible
from .schema import (
    database_time,
    events,
    experiments,
    labels,
    observations,
    removed,
    trials,
    wishes,
)

_REMEMBERED_SECONDS = 3600.0
"""How long a deletion can be heard of."""


class Experiments(Part):
    """The part of the store that is about experiments as such."""

    def create_experiment(
        self,
        key: ExperimentKey,
        document: Mapping[str, Any],
        *,
        seed: int,
        workdir: str,
        now: float,
        uid: str | None = None,
    ) -> ExperimentRecord:
        row = _new_row(uid or str(uuid.uuid4()), key, document, seed=seed, workdir=workdir, now=now)

        def work(connection: Connection) -> ExperimentRecord:
            taken = select(experiments.c.id).where(
                experiments.c.namespace == key.namespace, experiments.c.name == key.name
            )
            if connection.execute(taken).first():
                raise Conflict(f"there is an experiment {key} already")
            try:
                connection.execute(insert(experiments), row)
            except IntegrityError:
                raise Conflict(f"there is an experiment {key} already") from None
            written = self._row(connection, row["uid"])
            _write_labels(connection, written.id, document)
            return experiment_record(written)

        return self._database.write(work)

    def mirror_experiment(self, record: ExperimentRecord, *, now: float) -> ExperimentRecord:
        def work(connection: Connection) -> ExperimentRecord:
            known = self._find(connection, record.uid)
            if known is None:
                row = self._copy(connection, record, now)
            else:
                row = self._renew(connection, known, record)
            # It may have been removed before, with another key: a cluster can be restored.
            self._ids.learn(record.uid, int(row.id))
            return experiment_record(row)

        return self._database.write(work)

    def experiments(
        self, *, name: str | None = None, namespace: str | None = None
    ) -> Sequence[ExperimentRecord]:
        query = select(experiments).order_by(
            experiments.c.created_at.desc(), experiments.c.id.desc()
        )
        if name is not None:
            query = query.where(experiments.c.name == name)
        if namespace is not None:
            query = query.where(experiments.c.namespace == namespace)
        with self._database.reading() as connection:
            return [experiment_record(row) for row in connection.execute(query)]

    def set_document(
        self, uid: str, document: Mapping[str, Any], *, version: int, suspended: bool
    ) -> None:
        def work(connection: Connection) -> None:
            changed = connection.execute(
                update(experiments)
                .where(experiments.c.uid == uid, experiments.c.version == version)
                .values(
                    document=_text(document),
                    version=version + 1,
                    suspended=suspended,
                )
            )
            key = self._id(connection, uid)
            if changed.rowcount == 0:
                raise Conflict(
                    f"the experiment was changed by somebody else since version {version}"
                )
            _write_labels(connection, key, document)

        self._database.write(work)

    def set_state(
        self, uid: str, state: ExperimentState, *, reason: str, message: str, now: float
    ) -> None:
        def work(connection: Connection) -> None:
            row = self._row(connection, uid)
            old = ExperimentState(row.state)
            if old is state and row.reason == reason:
                return
            if old is not state:
                passage(EXPERIMENT_EDGES, old, state)
            connection.execute(
                update(experiments)
                .where(experiments.c.id == row.id)
                .values(
                    state=state,
                    reason=reason,
                    message=legible(message),
                    started_at=row.started_at
                    or (now if state is ExperimentState.RUNNING else None),
                    finished_at=now if state.is_finished else None,
                )
            )
            kind = "Warning" if state is ExperimentState.FAILED else "Normal"
            self._event(
                connection, row.id, index=None, kind=kind, reason=reason, message=message, now=now
            )

        self._database.write(work)

    def add_active_seconds(self, uid: str, seconds: float) -> None:
        def work(connection: Connection) -> None:
            connection.execute(
                update(experiments)
                .where(experiments.c.uid == uid)
                .values(active_seconds=experiments.c.active_seconds + seconds)
            )

        self._database.write(work)

    def delete_experiment(self, uid: str) -> None:
        def work(connection: Connection) -> None:
            below = (
                select(trials.c.id)
                .join_from(trials, experiments, trials.c.experiment_id == experiments.c.id)
                .where(experiments.c.uid == uid)
            )
            # Reports that are being written end first: observations have no foreign key that
            # would delete them with their trial.
            connection.execute(below.with_for_update(of=trials))
            connection.execute(delete(observations).where(observations.c.trial_id.in_(below)))
            mine = experiments.c.uid == uid
            namespace = connection.execute(select(experiments.c.namespace).where(mine)).scalar()
            if namespace is not None:
                connection.execute(delete(experiments).where(mine))
                _remember_removal(connection, uid, namespace)

        self._database.write(work)

    def wish(self, uid: str, verb: str, arguments: Mapping[str, Any], *, now: float) -> Wish:
        def work(connection: Connection) -> Wish:
            made = connection.execute(
                insert(wishes).values(
                    experiment_id=self._id(connection, uid),
                    verb=verb,
                    arguments=json.dumps(arguments),
                    asked_at=now,
                    answered=False,
                )
            )
            assert made.inserted_primary_key is not None
            return Wish(made.inserted_primary_key[0], verb, dict(arguments), now)

        return self._database.write(work)

    def answer_wish(self, uid: str, wish_id: int) -> None:
        def work(connection: Connection) -> None:
            owner = self._id(connection, uid)
            connection.execute(
                update(wishes)
                .where(wishes.c.id == wish_id, wishes.c.experiment_id == owner)
                .values(answered=True)
            )

        self._database.write(work)

    def add_event(
        self, uid: str, *, index: int | None, kind: str, reason: str, message: str, now: float
    ) -> None:
        def work(connection: Connection) -> None:
            self._event(
                connection,
                self._id(connection, uid),
                index=index,
                kind=kind,
                reason=reason,
                message=message,
                now=now,
            )

        self._database.write(work)

    def events(self, uid: str, *, after: float = 0.0, limit: int = 100) -> Sequence[EventRow]:
        with self._database.reading() as connection:
            query = (
                select(events)
                .where(events.c.experiment_id == self._id(connection, uid), events.c.at > after)
                .order_by(events.c.at.desc(), events.c.id.desc())
                .limit(limit)
            )
            rows = connection.execute(query).all()
        return [
            EventRow(row.at, row.idx, row.kind, row.reason, row.message) for row in reversed(rows)
        ]

    def _copy(self, connection: Connection, record: ExperimentRecord, now: float) -> Any:
        """Return the new row of an experiment that began elsewhere."""
        self._retire(connection, record.key)
        connection.execute(insert(experiments), _copied_row(record, now))
        row = self._row(connection, record.uid)
        _write_labels(connection, row.id, record.document)
        return row

    def _renew(self, connection: Connection, known: Any, record: ExperimentRecord) -> Any:
        """Return the row with what it lacked."""
        news = _news(record, known)
        if not news:
            return known
        connection.execute(update(experiments).where(experiments.c.id == known.id).values(news))
        if "document" in news:
            _write_labels(connection, known.id, record.document)
        return self._row(connection, record.uid)

    def _retire(self, connection: Connection, key: ExperimentKey) -> None:
        """Rename a deleted experiment whose key a new one takes.

        Its rows stay until they are swept, under a name that no experiment can have.
        """
        older = connection.execute(
            select(experiments.c.id, experiments.c.uid).where(
                experiments.c.namespace == key.namespace, experiments.c.name == key.name
            )
        ).first()
        if older is not None:
            connection.execute(
                update(experiments)
                .where(experiments.c.id == older.id)
                .values(name=f"{key.name[:54]}~{older.uid[:8]}")
            )


def _new_row(
    uid: str,
    key: ExperimentKey,
    document: Mapping[str, Any],
    *,
    seed: int,
    workdir: str,
    now: float,
) -> dict[str, Any]:
    return {
        "uid": uid,
        "namespace": key.namespace,
        "name": key.name,
        "document": _text(document),
        "version": 1,
        "state": ExperimentState.CREATED,
        "reason": "ExperimentCreated",
        "message": "Experiment is created",
        "seed": seed,
        "workdir": workdir,
        "suspended": bool(document.get("spec", {}).get("suspend")),
        "created_at": now,
        "active_seconds": 0.0,
        **dict.fromkeys(("position", "proposed", "observed", "since_improvement", "dropped"), 0),
        **dict.fromkeys(("trials_unbegun", *STATE_COLUMNS.values()), 0),
    }


def _copied_row(record: ExperimentRecord, now: float) -> dict[str, Any]:
    row = _new_row(
        record.uid,
        record.key,
        record.document,
        seed=record.seed,
        workdir=record.workdir,
        now=record.created_at or now,
    )
    return {
        **row,
        "version": record.version,
        "suspended": record.suspended,
        "active_seconds": record.active_seconds,
    }


def _news(record: ExperimentRecord, known: Any) -> dict[str, Any]:
    """Return what an experiment's row lacks of what its record says."""
    news: dict[str, Any] = {}
    if record.version > known.version:
        news["document"] = _text(record.document)
        news["version"] = record.version
        news["suspended"] = record.suspended
    if record.active_seconds != known.active_seconds:
        news["active_seconds"] = record.active_seconds
    return news


def _write_labels(connection: Connection, experiment_id: int, document: Mapping[str, Any]) -> None:
    connection.execute(delete(labels).where(labels.c.experiment_id == experiment_id))
    rows = [
        {"experiment_id": experiment_id, "name": name, "value": value}
        for name, value in labels_of(document).items()
        if is_label(name, value)
    ]
    if rows:
        connection.execute(insert(labels), rows)


def _remember_removal(connection: Connection, uid: str, namespace: str) -> None:
    old = removed.c.removed_at < database_time() - _REMEMBERED_SECONDS
    connection.execute(delete(removed).where(or_(old, removed.c.uid == uid)))
    connection.execute(insert(removed).values(uid=uid, namespace=namespace))


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
