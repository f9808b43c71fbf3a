"""The metrics service at work, against the drivers' own bulk inserts, and reading one trial.

A service of its own process takes requests of a trial's rows on one stream, the
next when the one before is acknowledged, as a collector sends them. The rival
writes the same rows, as many at once, into a table with the same key and commits
them: PostgreSQL's COPY, MariaDB's multi-row INSERT. What is read back over Katib's
API is one trial's log of a thousand rows out of a million.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import grpc
from store import PLACES, TABLE, with_trials
from tunewright.api.observation import Batch, Sample
from tunewright.db.sql import open_store
from tunewright.db.store import Store
from tunewright.proto import api_pb2, api_pb2_grpc, tunewright_pb2, tunewright_pb2_grpc

SIZES = (10, 1_000, 16_000)
SECONDS = 4.0
READ_TRIALS, READ_ROWS = 1_000, 1_000


@contextmanager
def service(url: str) -> Iterator[grpc.Channel]:
    command = [sys.executable, "-m", "tunewright", "serve", "metrics", "--port", "0"]
    process = subprocess.Popen([*command, "--store", url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().removeprefix("serving on ").strip()
        unlimited = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(address, options=unlimited) as channel:
            yield channel
    finally:
        process.terminate()
        process.wait()


def fill(store: Store, uid: str, trials: int) -> None:
    samples = tuple(Sample("loss", n / 7, n + 0.25, n) for n in range(READ_ROWS))
    for index in range(trials):
        store.record([Batch(uid, index, 1, "StdOut", 0, samples)], now=1.0)


def reported(channel: grpc.Channel, index: int, size: int) -> float:
    """Return rows a second, sent for one trial in requests of a size."""
    sent = 0

    def requests() -> Iterator[tunewright_pb2.ReportRequest]:
        nonlocal sent
        while time.perf_counter() - started < SECONDS:
            samples = [
                tunewright_pb2.Sample(metric="loss", value=n / 7, time=float(n), step=n)
                for n in range(sent, sent + size)
            ]
            yield tunewright_pb2.ReportRequest(
                trial=f"t-{index}",
                attempt=1,
                source="StdOut",
                first_sequence=sent,
                samples=samples,
            )
            sent += size

    stub = tunewright_pb2_grpc.MetricsStub(channel)
    started = time.perf_counter()
    for _ in stub.Report(requests()):
        pass
    return sent / (time.perf_counter() - started)


def inserted(store: Store, size: int) -> float:
    """Return rows a second, written by the driver's own bulk way."""
    database = store._database  # type: ignore[attr-defined] # the same connections
    columns = 9
    values = ", ".join([f"({', '.join(['%s'] * columns)})"] * size)
    written = 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        rows = [(size, 1, 1, float(n), 1, n, n / 7, n, 0) for n in range(written, written + size)]
        with database.transaction() as connection:
            cursor = connection.connection.cursor()
            if database.dialect == "postgresql":
                with cursor.copy("COPY rival FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                flat = [value for row in rows for value in row]
                cursor.execute(f"INSERT INTO rival VALUES {values}", flat)
        written += size
    return written / (time.perf_counter() - started)


def read(channel: grpc.Channel, trials: int) -> float:
    """Return the seconds that one trial's log takes, on the median."""
    stub = api_pb2_grpc.DBManagerStub(channel)
    took = []
    for index in range(0, trials, max(1, trials // 50)):
        started = time.perf_counter()
        request = api_pb2.GetObservationLogRequest(trial_name=f"t-{index}")
        reply = stub.GetObservationLog(request)
        took.append(time.perf_counter() - started)
        assert len(reply.observation_log.metric_logs) == READ_ROWS
    return median(took)


def main(*, quick: bool = False) -> str:
    trials = READ_TRIALS // 20 if quick else READ_TRIALS
    rows = []
    for name in ("PostgreSQL", "MariaDB"):
        with PLACES[name]() as url:
            store = open_store(url)
            uid = with_trials(store, trials + len(SIZES))
            fill(store, uid, trials)
            with store._database.transaction() as connection:  # type: ignore[attr-defined]
                connection.exec_driver_sql(TABLE)
            with service(url) as channel:
                for place, size in enumerate(SIZES):
                    got, floor = reported(channel, trials + place, size), inserted(store, size)
                    rows.append(
                        f"| {name}, {size:,} a request | {got:,.0f} | {floor:,.0f} "
                        f"| {got / floor:.2f} |"
                    )
                asked = 1e3 * read(channel, trials)
                rows.append(f"| {name}, a trial's log | {asked:.1f} ms | | |")
            store.close()
    head = [
        f"One stream; a trial's {READ_ROWS:,} rows among {trials * READ_ROWS:,}.",
        "",
        "| | rows/s | driver's bulk insert, rows/s | ours ÷ driver's |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
