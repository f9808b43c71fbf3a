"""SQLite under several processes, sudden ends and full disks."""

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from tunewright.api.errors import StoreUnavailable, StoreUnwritable, Unsupported
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.states import TrialState
from tunewright.db import experiments, observations, trial_statements, trials
from tunewright.db.sql import open_store
from tunewright.db.sqlite import refuse_network_file_system
from tunewright.db.statements import Prepared
from tunewright.db.store import Store

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
SPAWN = multiprocessing.get_context("spawn")


def with_trials(store: Store, count: int) -> str:
    key = ExperimentKey("default", "a")
    uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    points = [(f"a-{n}", Proposal({"x": n})) for n in range(count)]
    store.propose(uid, 0, points, made_from=0, now=1.0)
    for index in range(count):
        store.start_attempt(uid, index, 1, token="t", now=1.0)
    return uid


def write_samples(path: str, uid: str, index: int, count: int) -> None:
    store = open_store(path)
    for sequence in range(count):
        sample = Sample("loss", float(sequence), float(sequence))
        store.record([Batch(uid, index, 1, "stdout", sequence, (sample,))], now=1.0)
    store.close()


def write_for_ever(path: str, uid: str) -> None:
    store = open_store(path)
    sequence = 0
    while True:
        sample = Sample("loss", float(sequence), float(sequence))
        store.record([Batch(uid, 0, 1, "stdout", sequence, (sample,))], now=1.0)
        sequence += 1


def test_several_processes_write_and_one_reads_at_once(tmp_path: Path):
    path = str(tmp_path / "store.db")
    store = open_store(path)
    uid = with_trials(store, 3)
    writers = [
        SPAWN.Process(target=write_samples, args=(path, uid, index, 100)) for index in range(3)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        store.view(uid)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert [store.observation(uid, index)["loss"].count for index in range(3)] == [100] * 3
    store.close()


def test_a_writer_killed_at_any_moment_leaves_a_whole_store(tmp_path: Path):
    path = str(tmp_path / "store.db")
    store = open_store(path)
    uid = with_trials(store, 1)
    writer = SPAWN.Process(target=write_for_ever, args=(path, uid))
    writer.start()
    while not store.observation(uid, 0):
        pass
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    count = store.observation(uid, 0)["loss"].count
    assert count == sum(1 for _ in store.samples(uid, 0))
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_who_cannot_wait_is_refused_while_another_process_writes(tmp_path: Path):
    store = open_store(tmp_path / "store.db")
    uid = with_trials(store, 1)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"), store.at_once():
        store.drop_trial(uid, 0, now=1.0)
    other.execute("ROLLBACK")
    other.close()
    assert not store.trial(uid, 0).dropped
    with store.at_once():
        store.drop_trial(uid, 0, now=1.0)
    assert store.trial(uid, 0).dropped
    store.close()


def test_who_cannot_wait_does_not_wait_for_a_disk(tmp_path: Path):
    store = open_store(tmp_path / "store.db", fsync=True)
    with pytest.raises(StoreUnavailable), store.at_once():
        with_trials(store, 1)
    assert store.experiments() == []
    store.close()


def test_a_full_disk_is_told_and_leaves_no_half_of_a_transaction(tmp_path: Path):
    store = open_store(tmp_path / "store.db")
    uid = with_trials(store, 1)
    with store._database.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")
    samples = tuple(Sample("loss", float(n), float(n)) for n in range(10_000))
    with pytest.raises(StoreUnwritable, match=f"{tmp_path}/store.db: .*; free some space"):
        store.record([Batch(uid, 0, 1, "stdout", 0, samples)], now=1.0)
    assert store.observation(uid, 0) == {}
    assert list(store.samples(uid, 0)) == []
    store.close()


@pytest.mark.parametrize("page", [0, 1], ids=["its head", "a table"])
def test_damage_to_a_file_in_use_is_told_with_its_place(tmp_path: Path, page: int):
    path = tmp_path / "store.db"
    store = open_store(path)
    with_trials(store, 1)
    store._database.readers.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xff" * (4096 if page == 0 else 4096 * (pages - page)))
    with pytest.raises(Unsupported, match=f"{path}: the store is damaged.*restore a copy of it"):
        store.experiments()
    store.close()


@pytest.mark.parametrize("missing", ["folder", "permission"])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, missing: str):
    place = tmp_path / "nowhere" / "store.db" if missing == "folder" else Path("/proc/store.db")
    with pytest.raises(StoreUnwritable, match="cannot be written"):
        open_store(place)


def test_whatever_one_reader_reads_is_of_one_moment(tmp_path: Path):
    path = tmp_path / "store.db"
    store, other = open_store(path), open_store(path)
    uid = with_trials(store, 1)
    with store._database.reading() as connection:
        before = trial_statements.POSITION(connection, owner=1).scalar()
        other.finish_trial(uid, 0, TrialState.FAILED, reason="r", message="", now=2.0)
        assert trial_statements.POSITION(connection, owner=1).scalar() == before
    with store._database.reading() as connection:
        assert trial_statements.POSITION(connection, owner=1).scalar() > before
    store.close()
    other.close()


def test_no_statement_of_the_engine_walks_through_all_trials(tmp_path: Path):
    """What it costs must not grow with the trials that have ended."""
    store = open_store(tmp_path / "store.db")
    prepared = {
        name: statement
        for module in (experiments, observations, trials)
        for name, statement in vars(module).items()
        if isinstance(statement, Prepared)
    }
    with store._database.reading() as connection:
        for name, statement in prepared.items():
            compiled = statement._for(connection)
            asked = f"EXPLAIN QUERY PLAN {compiled.text}"
            plan = connection.exec_driver_sql(asked, tuple([1] * len(compiled.order)))
            for step in [row[3] for row in plan]:
                assert "SCAN" not in step, (name, step)
                assert not step.endswith(("trials_1 (experiment_id=?)", "ORDER BY")), (name, step)
    store.close()


@pytest.mark.parametrize("is_replaced", [False, True], ids=["removed", "replaced"])
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda store: store.experiments(), id="to a reader"),
        pytest.param(lambda store: with_trials(store, 1), id="to a writer"),
    ],
)
def test_a_file_that_is_taken_away_is_told_and_not_written_into_nothing(
    tmp_path: Path, use, *, is_replaced: bool
):
    path = tmp_path / "store.db"
    store = open_store(path)
    use(store)
    path.rename(tmp_path / "elsewhere.db")
    if is_replaced:
        open_store(path).close()
    with pytest.raises(StoreUnwritable, match="was moved, removed or replaced"):
        use(store)
    store.close()


MOUNTS = """\
22 1 254:1 / / rw - ext4 /dev/vda rw
40 22 0:40 / /home rw - nfs4 server:/home rw
41 40 0:41 / /home/me/local rw - xfs /dev/vdb rw
42 22 0:42 / /mnt rw - ext4 /dev/vdc rw
43 42 0:43 / /mnt rw - cifs //server/share rw
"""


def test_a_link_to_a_network_file_system_is_refused(tmp_path: Path, monkeypatch):
    far = tmp_path / "far"
    far.mkdir()
    (tmp_path / "home").symlink_to(far)
    mounts = f"22 1 254:1 / / rw - ext4 /dev/vda rw\n30 22 0:40 / {far} rw - nfs4 server:/x rw\n"
    read = Path.read_text

    def pretended(path: Path, *args, **options) -> str:
        return mounts if path == Path("/proc/self/mountinfo") else read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", pretended)
    for place in (tmp_path / "home" / "store.db", f"sqlite:///{tmp_path}/home/store.db"):
        with pytest.raises(Unsupported, match="nfs4"):
            open_store(place)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        pytest.param("/data/store.db", False, id="a disk"),
        pytest.param("/home/me/store.db", True, id="below a share"),
        pytest.param("/home/me/local/store.db", False, id="a disk below a share"),
        pytest.param("/mnt/store.db", True, id="a share over a disk"),
    ],
)
def test_a_network_file_system_is_refused(path: str, refused: bool):
    if refused:
        with pytest.raises(Unsupported, match="--store"):
            refuse_network_file_system(Path(path), MOUNTS)
    else:
        refuse_network_file_system(Path(path), MOUNTS)
