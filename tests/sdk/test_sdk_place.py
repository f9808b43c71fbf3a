"""What an engine holds of its place: the lock of an experiment, and a socket to be woken by."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from support import places
from tunewright import Conflict
from tunewright.api.identity import ExperimentKey
from tunewright.controller.doorbell import listening
from tunewright.sdk.sources import place as module
from tunewright.sdk.sources.here import Here
from tunewright.sdk.sources.place import Place

UID = "e"


@pytest.fixture
def place(tmp_path):
    return Place.of(str(tmp_path / "store.db"))


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.0)


@contextlib.contextmanager
def leaving(place, uid=UID):
    """An engine that is there when the block begins, and leaves in it."""
    there, leaves = threading.Event(), threading.Event()

    def drive():
        with place.driving(uid):
            there.set()
            leaves.wait()

    engine = threading.Thread(target=drive)
    engine.start()
    there.wait()
    threading.Timer(0.05, leaves.set).start()
    yield
    engine.join()


def test_one_engine_drives_an_experiment(place, hasty):
    assert not place.is_driven(UID)
    with place.driving(UID):
        assert place.is_driven(UID)
        with pytest.raises(Conflict, match="another process is running it"), place.driving(UID):
            pass
    assert not place.is_driven(UID)


def test_who_looks_is_not_taken_for_an_engine_by_another_who_does(place):
    with place.driving(UID):
        pass
    (lock,) = place.folder.rglob("*.lock")
    with lock.open("r+b") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        assert not place.is_driven(UID)


def test_an_engine_that_leaves_is_waited_for(place):
    with leaving(place):
        assert place.is_left(UID)
    with leaving(place), place.driving(UID):
        assert place.is_driven(UID)


@pytest.mark.parametrize("does", ["edits", "pauses"])
def test_what_an_engine_that_leaves_does_not_take_is_done_without_it(place, does):
    with place.opened() as store:
        here, document = Here(place, store), places.document("e")
        key = ExperimentKey("default", "e")
        record = store.create_experiment(key, document, seed=1, workdir="/", now=1.0)
        with leaving(place, record.uid):
            if does == "edits":
                here.edit(record, {"maxTrialCount": 77}, now=False)
            else:
                here.suspend(record, suspended=True, now=False)
        spec = store.experiment(key).document["spec"]

        assert store.view(record.uid).wishes == ()
        assert (spec["maxTrialCount"] == 77) == (does == "edits")
        assert spec.get("suspend", False) == (does == "pauses")


@pytest.fixture
def deep(tmp_path, monkeypatch):
    """A place whose path is too long for a socket, with a folder for the short paths of such."""
    short = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setattr(module, "_SHORT", short)
    yield Place.of(str(tmp_path / ("d" * 100) / "store.db"))
    shutil.rmtree(short)


def answering(place, lines):
    async def scene():
        async with listening(place.socket(UID), lambda: lines):
            return await asyncio.to_thread(place.ask, UID)

    return asyncio.run(scene())


def test_an_engine_of_a_long_path_is_asked_in_a_folder_of_this_user_alone(deep):
    assert answering(deep, ["it waits"]) == ["it waits"]

    (folder,) = module._SHORT.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / deep.socket(UID).name).touch()  # as a killed engine leaves it
    deep.remove_traces(UID)
    assert list(folder.iterdir()) == []


def test_an_engine_removes_what_killed_ones_left_beside_its_socket(deep):
    dead, young = (deep.socket(uid).with_name(f"{uid}.sock") for uid in ("dead", "young"))
    for path in (dead, young):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    os.utime(dead, (1.0, 1.0))

    assert answering(deep, ["it waits"]) == ["it waits"]
    assert [each.name for each in dead.parent.iterdir()] == [young.name]


def plant_link(folder):
    folder.with_name("elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lambda folder: (folder.mkdir(), folder.chmod(0o777)), id="open to others"),
        pytest.param(plant_link, id="a link"),
        pytest.param(Path.touch, id="a file"),
    ],
)
def test_where_somebody_else_could_listen_nobody_is_asked(deep, plant):
    plant(module._SHORT / f"tunewright-{os.getuid()}")

    assert deep.socket(UID) is None
    assert answering(deep, ["it waits"]) == []
    deep.wake(UID)
