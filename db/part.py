"""What the parts of the store share: the database, and what experiments' rows say of themselves."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..api.errors import NotFound
from ..api.excerpts import objective_of, stopping_rule_of
from ..api.objective import Objective
from ..api.stopping import StoppingRule
from .cache import Cache
from .connection import Database
from .names import Names
from .rows import legible
from .schema import events, experiments
from .statements import Prepared, insert_of
from .summaries import Summaries

_BY_UID = Prepared(select(experiments).where(experiments.c.uid == bindparam("uid")))
_RULES = Prepared(
    select(experiments.c.version, experiments.c.document).where(experiments.c.id == bindparam("id"))
)
_VERSION = Prepared(select(experiments.c.version).where(experiments.c.id == bindparam("id")))
_NEW_EVENT = insert_of(events)


class Part:
    """One part of the store. The parts stand side by side, over the same rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names = Names(database)
        self._summaries = Summaries(self._names)
        self._ids: Cache[str, int] = Cache(database)
        self._rules: Cache[int, tuple[int, Objective, StoppingRule | None]] = Cache(database)
        self._documents: Cache[int, tuple[int, Mapping[str, Any]]] = Cache(database)

    def _id(self, connection: Connection, uid: str) -> int:
        """Return the row's key, which does not change while the row is there."""
        known = self._ids.get(uid)
        return self._id_anew(connection, uid) if known is None else known

    def _id_anew(self, connection: Connection, uid: str) -> int:
        """Read the row's key where it may be another: whoever wrote it anew may be elsewhere."""
        return self._ids.learn(uid, int(self._row(connection, uid).id))

    def _find(self, connection: Connection, uid: str) -> Any:
        return _BY_UID(connection, uid=uid).first()

    def _row(self, connection: Connection, uid: str) -> Any:
        row = self._find(connection, uid)
        if row is None:
            raise NotFound(f"there is no experiment with uid {uid}")
        return row

    def _rules_of(
        self, connection: Connection, experiment_id: int, version: int | None = None
    ) -> tuple[Objective, StoppingRule | None]:
        """Return objective and stopping rule of the current document, parsed once a version."""
        if version is None:
            version = _VERSION(connection, id=experiment_id).scalar()
        known = self._rules.get(experiment_id)
        if known is None or known[0] != version:
            row = _RULES(connection, id=experiment_id).first()
            document = json.loads(row.document)
            known = (row.version, objective_of(document), stopping_rule_of(document))
            self._rules.learn(experiment_id, known)
        return known[1], known[2]

    def _document(self, row: Any) -> Mapping[str, Any]:
        """Return the document, parsed once a version."""
        known = self._documents.get(row.id)
        if known is None or known[0] != row.version:
            known = self._documents.learn(row.id, (row.version, json.loads(row.document)))
        return known[1]

    def _event(
        self,
        connection: Connection,
        experiment_id: int,
        *,
        index: int | None,
        kind: str,
        reason: str,
        message: str,
        now: float,
    ) -> None:
        _NEW_EVENT(
            connection,
            experiment_id=experiment_id,
            at=now,
            idx=index,
            kind=kind,
            reason=reason,
            message=legible(message),
        )
