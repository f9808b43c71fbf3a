"""The log of a trial of this machine, read while it is written."""

from pathlib import Path

from support.engines import KEY, document
from tunewright.api.history import Proposal
from tunewright.api.states import TrialState
from tunewright.sdk.sources import here
from tunewright.sdk.sources.here import Here, log_path
from tunewright.sdk.sources.place import Place


def test_a_log_is_followed_from_before_the_first_byte_on(tmp_path: Path, monkeypatch):
    place = Place.of(str(tmp_path / "store.db"))
    with place.opened() as store:
        record = store.create_experiment(KEY, document(), seed=1, workdir="/", now=1.0)
        store.propose(record.uid, 0, [("t0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
        store.start_attempt(record.uid, 0, 1, token="t", now=1.0)
        trial = store.trial(record.uid, 0)
        written = log_path(place, record, trial, "stdout")

        def write() -> None:
            written.parent.mkdir(parents=True)
            written.write_bytes(b"loss=1\n")

        def end() -> None:
            store.finish_trial(record.uid, 0, TrialState.KILLED, reason="r", message="", now=2.0)

        happens = iter((write, end))
        monkeypatch.setattr(here.time, "sleep", lambda _: next(happens)())
        log = Here(place, store).log(record, trial, stream="stdout", tail=None, follow=True)

        assert b"".join(log) == b"loss=1\n"
