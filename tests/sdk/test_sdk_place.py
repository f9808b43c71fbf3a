"""The lock of an experiment: one engine has it, and who only looks takes it from nobody."""

import contextlib
import fcntl
import threading

import pytest
from support import places
from tunewright import Conflict
from tunewright.api.identity import ExperimentKey
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
