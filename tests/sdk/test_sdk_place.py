"""The lock of an experiment: one engine has it, and who only looks takes it from nobody."""

import contextlib
import fcntl
import threading

import pytest
from tunewright import Conflict
from tunewright.sdk.sources import place as module
from tunewright.sdk.sources.place import Place

UID = "e"


@pytest.fixture
def place(tmp_path):
    return Place.of(str(tmp_path / "store.db"))


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.0)


@contextlib.contextmanager
def leaving(place):
    """An engine that is there when the block begins, and leaves in it."""
    there, leaves = threading.Event(), threading.Event()

    def drive():
        with place.driving(UID):
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
        with pytest.raises(Conflict, match="another process drives it"), place.driving(UID):
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
