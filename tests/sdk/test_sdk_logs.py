"""The log of a trial of this machine, read while it is written."""

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support.engines import KEY, document
from tunewright.api.history import Proposal
from tunewright.api.states import TrialState
from tunewright.sdk.sources import here
from tunewright.sdk.sources.here import Here, log_path, tail_start
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


class Read(io.BytesIO):
    """A log that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@given(st.lists(st.sampled_from([b"", b"a", b"line"]), max_size=9), st.integers(0, 11))
def test_the_last_lines_begin_behind_the_end_of_the_one_before(lines: list[bytes], count: int):
    text = b"\n".join(lines)
    whole = text.rstrip(b"\n").split(b"\n")
    left = len(b"\n".join([*whole[: len(whole) - count], b""])) if count < len(whole) else 0
    assert tail_start(io.BytesIO(text), count, 1) == (left if count else len(text))


def test_of_a_long_log_little_more_than_its_last_lines_is_read():
    log = Read(b"a line of the log\n" * 1_000_000)
    start = tail_start(log, 1000)
    assert log.getvalue()[start:] == b"a line of the log\n" * 1000
    assert log.count < 500_000
