"""Katib's observation logs, read from its database into the store.

Each trial's rows are numbered in the order of Katib's own ids under a source of
their own, so that importing again changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, column, inspect, select, table

from ..api.errors import Conflict, NotFound
from ..api.observation import Batch, Sample, is_metric_name
from .connection import Database
from .store import Store

SOURCE = "katib-import"
_TABLE = "observation_logs"
_LOGS = table(
    _TABLE,
    *(column(name) for name in ("id", "trial_name", "time", "metric_name", "value")),
)
_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Imported:
    """How far an import came. `unknown` are trials that the store has not, or has several of."""

    trials: int = 0
    rows: int = 0
    unknown: int = 0


def import_katib(
    store: Store, url: str, *, now: float, on_progress: Callable[[Imported], None]
) -> Imported:
    """Bring in the logs of all trials that the store knows by name.

    Raises:
        NotFound: the database is none of Katib's.
        StoreUnavailable: it does not answer.
    """
    database = Database(url)
    done = Imported()
    try:
        with database.reading() as connection:
            for name, rows in groupby(_rows(connection), key=attrgetter("trial_name")):
                done = _import_trial(store, name, _samples(rows), done, now)
                on_progress(done)
    finally:
        database.close()
    return done


def _rows(connection: Connection) -> Iterator[Any]:
    if not inspect(connection).has_table(_TABLE):
        raise NotFound(f"the database has no table {_TABLE}: name the one that Katib uses")
    query = select(_LOGS).order_by(_LOGS.c.trial_name, _LOGS.c.id)
    yield from connection.execute(query, execution_options={"yield_per": _PAGE})


def _samples(rows: Iterable[Any]) -> Iterator[Sample]:
    """Read what is a number of a metric that can have its name.

    Katib writes `unavailable` where a metric was never seen.
    """
    for row in rows:
        if not is_metric_name(row.metric_name):
            continue
        try:
            value = float(row.value)
        except ValueError:
            continue
        yield Sample(row.metric_name, value, _seconds(row.time))


def _seconds(moment: datetime | None) -> float:
    """Read UTC without a zone; the year 1, or nothing, stands where a line had no time."""
    return 0.0 if moment is None or moment.year == 1 else moment.replace(tzinfo=UTC).timestamp()


def _import_trial(
    store: Store, name: str, samples: Iterator[Sample], done: Imported, now: float
) -> Imported:
    try:
        uid, index = store.find_trial(name)
    except (NotFound, Conflict):
        return replace(done, unknown=done.unknown + 1)
    attempt = store.trial(uid, index).attempt
    number, first = attempt.attempt if attempt else 0, 0
    while page := tuple(islice(samples, _PAGE)):
        store.record([Batch(uid, index, number, SOURCE, first, page)], now=now)
        first += len(page)
    return replace(done, trials=done.trials + 1, rows=done.rows + first)
