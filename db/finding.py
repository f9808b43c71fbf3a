"""Finding experiments: a page of those that match a query, and a feed of those that change.

A page costs its rows and a walk along an index; reading the feed costs as much as has changed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from ..api.states import ExperimentState
from .connection import Database
from .listing import PAUSED, Changed, Feed, Found, Order, Query
from .records import ExperimentRecord, TrialRecord
from .rows import experiment_record
from .schema import database_time, experiments, labels, removed, trials
from .statements import AT_ONCE
from .trial_reading import TrialReading

MOST_CHANGED = 100
"""Where more experiments than that have changed, the feed says so and lists none."""

_SLACK_SECONDS = 5.0
"""How long after it wrote a transaction may commit, and still be noticed."""

_ENDED = [str(state) for state in ExperimentState if state.is_finished]
_NOW = select(database_time())
_columns = experiments.c
_ORDERS = {
    Order.NEWEST: (_columns.created_at.desc(), _columns.name, _columns.namespace),
    Order.OLDEST: (_columns.created_at, _columns.name, _columns.namespace),
    Order.NAME: (_columns.name, _columns.namespace),
    Order.STATE: (_columns.state, _columns.created_at.desc(), _columns.name),
}


class Finding(TrialReading):
    """The part of the store that finds experiments."""

    def find_experiments(self, query: Query) -> Found:
        matching = _matching(query)
        page = matching.order_by(*_ORDERS[query.order]).offset(query.offset).limit(query.limit)
        with self._database.reading() as connection:
            keys = connection.execute(page).scalars().all()
            total = len(keys)
            if query.offset or total == query.limit:
                counted = select(func.count()).select_from(matching.subquery())
                total = connection.execute(counted).scalar_one()
            return Found(self._records_of(connection, keys), total)

    def feed(self, namespace: str | None = None) -> Feed:
        return StoreFeed(self, self._database, namespace)

    def experiments_of(self, keys: Sequence[int]) -> Sequence[ExperimentRecord]:
        with self._database.reading() as connection:
            return self._records_of(connection, keys)

    def _records_of(
        self, connection: Connection, keys: Sequence[int]
    ) -> Sequence[ExperimentRecord]:
        """Return experiments with their best trial, in the order of the keys."""
        found: dict[int, ExperimentRecord] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            best = self._best_of(connection, some)
            rows = connection.execute(select(experiments).where(_columns.id.in_(some)))
            found |= {row.id: experiment_record(row, best.get(row.id, ())) for row in rows}
        return [found[key] for key in keys if key in found]

    def _best_of(
        self, connection: Connection, keys: Sequence[int]
    ) -> dict[int, tuple[TrialRecord, ...]]:
        rivals = trials.alias()
        best = (
            select(rivals.c.id)
            .where(rivals.c.experiment_id == _columns.id, rivals.c.loss.is_not(None))
            .order_by(rivals.c.loss, rivals.c.idx)
            .limit(1)
            .scalar_subquery()
        )
        query = (
            select(trials)
            .select_from(experiments)
            .join(trials, trials.c.id == best)
            .where(_columns.id.in_(keys))
        )
        rows = connection.execute(query).all()
        records = self._records(connection, rows, observations=True)
        return {row.experiment_id: (each,) for row, each in zip(rows, records, strict=True)}


def _matching(query: Query) -> Select[Any]:
    """Select the keys of the experiments that match."""
    found = select(_columns.id)
    if query.namespace is not None:
        found = found.where(_columns.namespace == query.namespace)
    if query.within is not None:
        found = found.where(_columns.namespace.in_(query.within))
    if wanted := query.search.strip().lower():
        namespace, slash, name = wanted.partition("/")
        if slash:
            whole = and_(
                _columns.namespace.endswith(namespace, autoescape=True),
                _columns.name.startswith(name, autoescape=True),
            )
        else:
            whole = or_(
                _columns.name.contains(wanted, autoescape=True),
                _columns.namespace.contains(wanted, autoescape=True),
            )
        found = found.where(whole)
    if query.state == PAUSED:
        found = found.where(_columns.suspended, _columns.state.not_in(_ENDED))
    elif query.state is not None:
        found = found.where(_columns.state == query.state)
        if query.state not in _ENDED:
            found = found.where(_columns.suspended.is_(False))
    for name, value in query.labels:
        having = select(labels.c.experiment_id).where(labels.c.name == name)
        if value is not None:
            having = having.where(labels.c.value == value)
        found = found.where(_columns.id.in_(having))
    return found


class StoreFeed:
    """Implements `listing.Feed`, for one thread at a time.

    Each read looks back a little beyond the one before it, because a transaction may commit
    after one that began later. What was told already is not told again.
    """

    def __init__(self, store: Finding, database: Database, namespace: str | None) -> None:
        self._store = store
        self._database = database
        self._namespace = namespace
        self._told: dict[int | str, float] = {}
        with database.reading() as connection:
            self._since: float = connection.execute(_NOW).scalar_one()

    def read(self) -> Changed:
        with self._database.reading() as connection:
            now = connection.execute(_NOW).scalar_one()
            written = self._written(connection)
        fresh = [key for key, at in written.items() if self._told.get(key) != at]
        self._told, self._since = written, now
        if len(fresh) > MOST_CHANGED:
            return Changed(more=True)
        keys = [key for key in fresh if isinstance(key, int)]
        gone = [key for key in fresh if isinstance(key, str)]
        return Changed(self._store.experiments_of(keys), gone)

    def _written(self, connection: Connection) -> dict[int | str, float]:
        """Return when experiments were written, by their keys, and removed, by their uids."""
        horizon = self._since - _SLACK_SECONDS
        touched = select(_columns.id, _columns.touched_at).where(_columns.touched_at > horizon)
        taken = select(removed.c.uid, removed.c.removed_at).where(removed.c.removed_at > horizon)
        if self._namespace is not None:
            touched = touched.where(_columns.namespace == self._namespace)
            taken = taken.where(removed.c.namespace == self._namespace)
        return {key: at for query in (touched, taken) for key, at in connection.execute(query)}
