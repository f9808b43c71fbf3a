"""Database servers behind the command line: passwords, servers that are away, Katib's database."""

import signal
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from support import servers
from support.waiting import until
from tunewright.db.sql import open_store

PASSWORD = "p@ss:/w%rd"
KATIB = {
    "postgres": (
        "CREATE TABLE observation_logs (trial_name VARCHAR(255) NOT NULL, id serial PRIMARY KEY,"
        " time TIMESTAMP(6), metric_name VARCHAR(255) NOT NULL, value TEXT NOT NULL)"
    ),
    "mysql": (
        "CREATE TABLE observation_logs (trial_name VARCHAR(255) NOT NULL,"
        " id INT AUTO_INCREMENT PRIMARY KEY,"
        " time DATETIME(6), metric_name VARCHAR(255) NOT NULL, value TEXT NOT NULL)"
    ),
}
ROWS = (
    ("{trial}", "2026-01-31 12:00:00.5", "loss", "0.75"),
    ("stranger", "2026-01-31 12:00:00", "loss", "9"),
    ("{trial}", "2026-01-31 12:00:01", "loss", "0.5"),
    ("{trial}", "2026-01-31 12:00:02", "accuracy", "unavailable"),
    ("{trial}", "0001-01-01 00:00:00", "extra", "NaN"),
    ("{trial}", None, "extra", "1"),
    ("{trial}", "2026-01-31 12:00:03", "", "1"),
    ("{trial}", "2026-01-31 12:00:03", "loss ", "1"),
)
KINDS = [
    pytest.param(name, marks=[pytest.mark.needs(name), pytest.mark.xdist_group(name)], id=name)
    for name in ("postgres", "mysql")
]


def run(url: str, *statements: str, **values: str | None) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement), values)


@contextmanager
def database(kind: str) -> Iterator[str]:
    with getattr(servers, kind)() as server, servers.fresh_database(server) as url:
        yield url


@pytest.mark.parametrize("kind", KINDS)
def test_katibs_logs_are_brought_in_once_for_the_trials_that_are_known(
    tunewright, experiment, kind
):
    assert tunewright("run", experiment()).code == 0
    trial = tunewright("trials", "echo", "-o", "json").json[0]["name"]
    with closing(open_store(tunewright.folder / "home" / "store.db")) as store:
        uid, index = store.find_trial(trial)
        own = store.observation(uid, index)
    with database(kind) as url:
        run(url, KATIB[kind])
        for name, at, metric, value in ROWS:
            run(
                url,
                "INSERT INTO observation_logs (trial_name, time, metric_name, value)"
                " VALUES (:name, :at, :metric, :value)",
                name=name.format(trial=trial),
                at=at,
                metric=metric,
                value=value,
            )
        told = [tunewright("db", "import-katib", url) for _ in range(2)]
    assert [done.code for done in told] == [0, 0], told[0].err
    assert "trials: 1, rows: 4" in told[0].out
    assert "left out: 1" in told[0].err
    with closing(open_store(tunewright.folder / "home" / "store.db")) as store:
        summaries = store.observation(uid, index)
        assert [sample.time for sample in store.samples(uid, index, metric="extra")] == [0.0] * 2
    assert set(summaries) == {*own, "loss", "extra"}
    assert summaries["loss"].count == 2 + (own["loss"].count if "loss" in own else 0)


@pytest.mark.parametrize("kind", KINDS[:1])
def test_a_database_that_is_none_of_katibs_is_named(tunewright, kind):
    with database(kind) as url:
        refused = tunewright("db", "import-katib", url)
    assert (refused.code, "no table observation_logs" in refused.err) == (2, True)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_password_stands_in_the_environment_alone(tunewright, kind):
    user = f"u{uuid.uuid4().hex[:8]}"
    with database(kind) as url:
        named = make_url(url)
        run(
            url,
            f"CREATE USER {user}@localhost IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON {named.database}.* TO {user}@localhost",
        )
        store = named.set(username=user).render_as_string(hide_password=False)
        done = tunewright(
            *("db", "upgrade", "--store", store), env={"TUNEWRIGHT_STORE_PASSWORD": PASSWORD}
        )
        refused = tunewright("db", "upgrade", "--store", store)
    assert done.code == 0, done.err
    assert PASSWORD not in done.out + done.err
    assert refused.code == 1


@pytest.mark.parametrize("kind", KINDS[:1])
def test_a_database_that_is_not_up_yet_is_waited_for_until_told_to_end(tunewright, kind):
    """A container's first process is told so as this one, and would not be killed by it."""
    store = "postgresql://tune@127.0.0.1:1/tune"
    words = ("serve", "metrics", "--port", "0", "--store", store)
    process = tunewright.start(*words, env={"TUNEWRIGHT_STORE_PASSWORD": PASSWORD})
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert line.startswith("waiting for postgresql://tune@127.0.0.1:1/tune: ")
    assert PASSWORD not in line + err + out
    assert process.returncode == 0


@contextmanager
def away(url: str) -> Iterator[None]:
    """Let a database take no connections, and end those that are open."""
    name = make_url(url).database
    server = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    run(
        server,
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    try:
        yield
    finally:
        run(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


HOLDING = """
echo loss={x}
if mkdir held 2>/dev/null; then
  echo $TUNEWRIGHT_TRIAL > held/name
  until test -e go; do sleep 0.1; done
  echo done
else
  sleep 0.2
fi
"""
"""One of the trials is held; the others end one after the other."""


@pytest.mark.parametrize("kind", KINDS[:1])
def test_whoever_looks_on_lives_through_a_database_that_is_away(tunewright, kind):
    how = ("--param", "x=0.0..1.0", "--minimize", "loss", "--parallel", "2", "--trials", "1000")
    name = tunewright.folder / "held" / "name"
    with database(kind) as url:
        store = ("--store", url)
        tunewright("run", *store, *how, "--name", "e", "--detach", "--", "sh", "-c", HOLDING)
        until(lambda: name.exists() and name.read_text())
        watch = tunewright.start("watch", "e", *store)
        logs = tunewright.start("logs", "e", name.read_text().strip(), "-f", *store)
        begun = [each.stdout.readline() for each in (watch, logs)]
        with away(url):
            said = [each.stderr.readline() for each in (watch, logs)]
        (tunewright.folder / "go").touch()
        written, more = logs.communicate(timeout=60)
        tunewright("stop", "e", *store)
        shown, told = watch.communicate(timeout=60)
    assert (watch.returncode, logs.returncode) == (0, 0), (begun, said, more, told)
    assert all(line.startswith("Still waiting: the store does not answer") for line in said)
    assert "Still waiting" not in more + told
    assert written.endswith("done\n")
    assert "e Succeeded" in shown
