"""The schema's versions, on each database."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, text
from tunewright.api.errors import Unsupported
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.states import TrialState
from tunewright.db.connection import Database
from tunewright.db.listing import Query
from tunewright.db.migrate import REVISIONS, config_of, migrate, revision, upgrade
from tunewright.db.schema import metadata
from tunewright.db.store import Store

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}


def migrated(database: Database) -> None:
    database.write(migrate)


@pytest.mark.parametrize("make", [migrated, upgrade], ids=["step by step", "at once"])
def test_an_empty_database_gets_the_tables_of_the_schema(
    place: str, make: Callable[[Database], None]
):
    database = Database(place)
    make(database)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert revision(connection, "here") == REVISIONS[-1]
    database.close()


def broken_off(place: str, done: int) -> bool:
    """Upgrade a database, and break off after so many changes; return whether it came to that."""
    left = [done]

    def break_off(_connection, _cursor, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "UPDATE", "INSERT")):
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("broke off")

    database = Database(place)
    event.listen(database.writer, "before_cursor_execute", break_off)
    try:
        upgrade(database)
    except RuntimeError:
        return True
    finally:
        database.close()
    return False


@pytest.mark.parametrize("done", [0, 1, 9, 25], ids="after {} statements".format)
def test_a_creation_that_broke_off_is_gone_on_with(place: str, done: int):
    assert broken_off(place, done)
    test_an_empty_database_gets_the_tables_of_the_schema(place, upgrade)


def test_on_sqlite_both_ways_give_them_to_the_letter(tmp_path: Path):
    """With what a comparison of tables does not see: rows without ids, keys used once."""
    for name, make in (("migrated.db", migrated), ("made.db", upgrade)):
        database = Database(tmp_path / name)
        make(database)
        database.close()

    def written(name: str) -> set[str]:
        connection = sqlite3.connect(tmp_path / name)
        rows = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'alembic%'"
        ).fetchall()
        connection.close()
        return {normal(sql) for (sql,) in rows}

    assert written("migrated.db") == written("made.db")


def normal(sql: str) -> str:
    """The order of constraints says nothing."""
    return " ".join(sorted(sql.replace(",", " ").replace("(", " ( ").replace(")", " ) ").split()))


def age(place: str, old: str) -> None:
    """Give a store the tables that it had at a revision."""

    def back(connection: Connection) -> None:
        command.downgrade(config_of(connection), old)

    database = Database(place)
    database.write(back)
    database.close()


def test_a_migration_that_broke_off_wherever_it_was_is_gone_on_with(
    place: str, opened: Callable[..., Store]
):
    store, key = opened(), ExperimentKey("default", "old")
    document = {"metadata": {"labels": {"team": "red"}}, **DOCUMENT}
    uid = store.create_experiment(key, document, seed=1, workdir="/", now=1.0).uid
    store.propose(uid, 0, [("old-0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
    store.finish_trial(uid, 0, TrialState.KILLED, reason="r", message="m", now=3.0)
    before = store.experiment(key).totals
    store.close()

    age(place, "0001")
    for done in range(3, 40, 3):
        if not broken_off(place, done):
            break
    assert opened().experiment(key).totals == before
    found = opened().find_experiments(Query(labels=(("team", "red"),)))
    assert [record.uid for record in found.records] == [uid]
    test_an_empty_database_gets_the_tables_of_the_schema(place, upgrade)


def test_trials_that_never_began_are_counted_apart_in_an_older_store_too(
    place: str, opened: Callable[..., Store]
):
    store, key = opened(), ExperimentKey("default", "old")
    uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    points = [(f"old-{n}", Proposal({"x": 0.5})) for n in range(3)]
    store.propose(uid, 0, points, made_from=0, now=1.0)
    store.start_attempt(uid, 0, 1, token="t", now=2.0)
    for index in (0, 1):
        store.finish_trial(uid, index, TrialState.KILLED, reason="r", message="m", now=3.0)
    before = store.experiment(key).totals
    store.close()

    age(place, "0006")
    again = opened().experiment(key).totals
    assert (again.unbegun, again.of(TrialState.KILLED), again) == (1, 1, before)


def test_a_store_that_is_up_to_date_is_left_as_it_is(place: str, opened: Callable[..., Store]):
    opened()
    database = Database(place)
    upgrade(database)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            (REVISIONS[-1],)
        ]
    database.close()


def test_a_newer_schema_is_refused(place: str, opened: Callable[..., Store]):
    opened()
    database = Database(place)
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(Unsupported, match="update Tunewright"):
        opened()


@pytest.mark.parametrize("name", ["trials", "experiments"])
def test_the_tables_of_another_program_are_left_alone(place: str, name: str):
    database = Database(place)
    with database.transaction() as connection:
        connection.execute(text(f"CREATE TABLE {name} (id INTEGER)"))
    with pytest.raises(Unsupported, match=rf"of another program \(it has {name}\)"):
        upgrade(database)
    database.close()


def test_a_file_with_any_table_is_another_programs_and_a_servers_database_is_shared(place: str):
    database = Database(place)
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE bookmarks (id INTEGER)"))
    if database.dialect == "sqlite":
        with pytest.raises(Unsupported, match="name another with --store"):
            upgrade(database)
    else:
        upgrade(database)
    database.close()
