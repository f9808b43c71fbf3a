"""A million observations into each database, against its driver's own bulk insert.

The rival writes the same rows into a table with the same key by the driver's
own bulk way: `executemany` of sqlite3 and of PyMySQL, COPY of psycopg. We keep,
beside the rows, the summaries and how far each source came. A trial's summaries
are asked for when the store holds ten times as many.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import servers  # the tests' own servers
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.db.sql import open_store
from tunewright.db.store import Store

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
BATCH = 5000
MORE = 10
"""How many times as many observations there are when summaries are asked for."""

COLUMNS = "trial_id, metric_id, attempt, time, source_id, sequence, value, step, late"
TABLE = """CREATE TABLE rival (trial_id BIGINT NOT NULL, metric_id BIGINT NOT NULL,
attempt INTEGER NOT NULL, time DOUBLE PRECISION NOT NULL, source_id BIGINT NOT NULL,
sequence BIGINT NOT NULL, value DOUBLE PRECISION, step BIGINT, late SMALLINT NOT NULL,
PRIMARY KEY (trial_id, metric_id, attempt, time, source_id, sequence))"""


@contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder, "store.db"))


@contextmanager
def on(server: Callable[[], object]) -> Iterator[str]:
    with server() as url, servers.fresh_database(url) as fresh:  # type: ignore[attr-defined]
        yield fresh


PLACES = {
    "SQLite": sqlite,
    "PostgreSQL": lambda: on(servers.postgres),
    "MariaDB": lambda: on(servers.mysql),
}


def with_trials(store: Store, count: int) -> str:
    key = ExperimentKey("default", "bench")
    uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    points = [(f"t-{n}", Proposal({"x": n})) for n in range(count)]
    store.propose(uid, 0, points, made_from=0, now=1.0)
    for index in range(count):
        store.start_attempt(uid, index, 1, token="t", now=1.0)
    return uid


def ours(store: Store, uid: str, trials: range, each: int) -> float:
    batches = [
        Batch(
            uid,
            index,
            1,
            "stdout",
            first,
            tuple(Sample("loss", n / 7, float(n), n) for n in range(first, first + BATCH)),
        )
        for index in trials
        for first in range(0, each, BATCH)
    ]
    started = time.perf_counter()
    for batch in batches:
        store.record([batch], now=1.0)
    return time.perf_counter() - started


def rival(store: Store, trials: int, each: int) -> float:
    database = store._database  # type: ignore[attr-defined] # the same connections
    with database.transaction() as connection:
        suffix = " WITHOUT ROWID" if database.dialect == "sqlite" else ""
        connection.exec_driver_sql(TABLE + suffix)
    chunks = [
        [(index, 1, 1, float(n), 1, n, n / 7, n, 0) for n in range(first, first + BATCH)]
        for index in range(trials)
        for first in range(0, each, BATCH)
    ]
    mark = "?" if database.dialect == "sqlite" else "%s"
    insert = f"INSERT INTO rival ({COLUMNS}) VALUES ({', '.join([mark] * 9)})"
    started = time.perf_counter()
    for chunk in chunks:
        with database.transaction() as connection:
            cursor = connection.connection.cursor()
            if database.dialect == "postgresql":
                with cursor.copy("COPY rival FROM STDIN") as copy:
                    for row in chunk:
                        copy.write_row(row)
            else:
                cursor.executemany(insert, chunk)
    return time.perf_counter() - started


def summaries(store: Store, uid: str, index: int) -> float:
    started = time.perf_counter()
    for _ in range(100):
        store.observation(uid, index)
    return (time.perf_counter() - started) / 100


def main(*, quick: bool = False) -> str:
    trials, each = (2, 20_000) if quick else (10, 100_000)
    total = trials * each
    rows = []
    for name, place in PLACES.items():
        with place() as url:
            store = open_store(url)
            uid = with_trials(store, trials * MORE)
            took, floor = ours(store, uid, range(trials), each), rival(store, trials, each)
            for index in range(trials, trials * MORE):
                ours(store, uid, range(index, index + 1), each)
            asked = summaries(store, uid, 0)
            store.close()
        rows.append(
            f"| {name} | {total / took:,.0f} | {total / floor:,.0f} | {floor / took:.2f} "
            f"| {1e3 * asked:.2f} ms |"
        )
    head = [
        f"{total:,} observations, {BATCH:,} a batch; a trial's {each:,} among {total * MORE:,}.",
        "",
        "| | rows/s | driver's bulk insert, rows/s | ours ÷ driver's | a trial's summaries |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    print(main())
