"""A pod's log, followed past what breaks it off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.sdk.sources.pod_log import PodLog

LINES = [
    b"%d first\n" % 1,
    b"2 \n",
    b"2 the same moment\n",
    b"3 half",
    b" and whole\n",
    b"4 last\n",
]
"""What a server sends; the moments are of one width."""
TEXT = b"first\n\nthe same moment\nhalf and whole\nlast\n"


def test_it_is_asked_for_from_the_end_that_was_wanted_and_then_from_the_last_line():
    log = PodLog("main", 5)
    always = {"container": "main", "follow": "true", "timestamps": "true"}
    assert log.begin() == always | {"tailLines": "5"}
    log.new(b"2026-11-27T10:00:00.123456789Z loss=1\n2026-11-27T10:00:01.")
    assert log.begin() == always | {"sinceTime": "2026-11-27T10:00:00.123456789Z"}


def test_before_anything_came_it_is_asked_for_anew():
    log = PodLog(None, None)
    log.begin()
    assert not log.has_begun
    assert "sinceTime" not in log.begin()


@given(st.lists(st.integers(0, sum(map(len, LINES))), max_size=4), st.integers(1, 7))
def test_wherever_it_breaks_off_each_byte_is_given_once(breaks: list[int], size: int):
    whole, log, given_out = b"".join(LINES), PodLog("main", None), b""
    for end in [*breaks, len(whole)]:
        since = str(log.begin().get("sinceTime", ""))
        # From the line of that moment on, or from one before it: seconds are all that is kept.
        start = whole.index(since.encode() + b" ") if since else 0
        for place in range(start, end, size):
            given_out += log.new(whole[place : min(place + size, end)])
    assert given_out == TEXT


@pytest.mark.parametrize("start", [0, len(LINES[0])])
def test_lines_from_before_the_last_are_left_out(start: int):
    log = PodLog("main", None)
    log.begin()
    log.new(b"".join(LINES[:4]))
    log.begin()
    assert log.new(b"".join(LINES)[start:]) == b" and whole\nlast\n"
