"""The log of a trial of this machine, read while it is written."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.engines import KEY, document
from tunewright.api.history import Proposal
from tunewright.api.states import TrialState
from tunewright.sdk.sources import here
from tunewright.sdk.sources.here import Here, log_path
from tunewright.sdk.sources.place import Place


@contextmanager
def begun(folder: Path):
    """A trial that runs, of a store in a folder, and the file of what it prints."""
    place = Place.of(str(folder / "store.db"))
    with place.opened() as store:
        record = store.create_experiment(KEY, document(), seed=1, workdir="/", now=1.0)
        store.propose(record.uid, 0, [("t0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
        store.start_attempt(record.uid, 0, 1, token="t", now=1.0)
        trial = store.trial(record.uid, 0)
        yield Here(place, store), record, trial, log_path(place, record, trial, "stdout")


def test_a_log_is_followed_from_before_the_first_byte_on(tmp_path: Path, monkeypatch):
    with begun(tmp_path) as (place, record, trial, written):

        def write() -> None:
            written.parent.mkdir(parents=True)
            written.write_bytes(b"loss=1\n")

        def end() -> None:
            place.records.finish_trial(
                record.uid, 0, TrialState.KILLED, reason="r", message="", now=2.0
            )

        happens = iter((write, end))
        monkeypatch.setattr(here.time, "sleep", lambda _: next(happens)())
        log = place.log(record, trial, stream="stdout", tail=None, follow=True)

        assert b"".join(log) == b"loss=1\n"


@pytest.mark.parametrize(
    ("text", "lines", "end"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb", 1, b"b"),
        (b"a\nb\n", 9, b"a\nb\n"),
        (b"a\nb\n", 0, b""),
        (b"", 3, b""),
        (b"long" * 50_000 + b"\n" + b"x" * 100_000 + b"\nz\n", 2, b"x" * 100_000 + b"\nz\n"),
    ],
)
def test_the_last_lines_are_shown(tmp_path: Path, text, lines, end):
    with begun(tmp_path) as (place, record, trial, written):
        written.parent.mkdir(parents=True)
        written.write_bytes(text)
        log = place.log(record, trial, stream="stdout", tail=lines, follow=False)

        assert b"".join(log) == end


def test_the_last_lines_of_a_log_larger_than_the_memory_are_shown(tmp_path: Path):
    with begun(tmp_path) as (place, record, trial, written):
        written.parent.mkdir(parents=True)
        with written.open("wb") as file:
            file.truncate(1 << 42)  # a hole
            file.seek(0, os.SEEK_END)
            file.write(b"\nlast\n")
        log = place.log(record, trial, stream="stdout", tail=1, follow=False)

        assert b"".join(log) == b"last\n"
