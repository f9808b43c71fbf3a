"""A pod's log, followed past what breaks it off."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.api.errors import Invalid, NotFound, ServerUnavailable
from tunewright.sdk.sources import cluster_logs
from tunewright.sdk.sources.cluster_logs import ClusterLogs
from tunewright.sdk.sources.pod_log import PodLog
from tunewright.sdk.sources.waiting import Outages

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


def test_a_log_is_asked_for_from_the_wanted_end_and_then_from_the_last_line():
    log = PodLog("main", 5)
    always = {"container": "main", "follow": "true", "timestamps": "true"}
    assert log.begin() == always | {"tailLines": "5"}
    log.new(b"2026-11-27T10:00:00.123456789Z loss=1\n2026-11-27T10:00:01.")
    assert log.begin() == always | {"sinceTime": "2026-11-27T10:00:00.123456789Z"}


def test_before_anything_came_it_is_asked_for_anew():
    log = PodLog(None, None)
    log.begin()
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


AWAY = ServerUnavailable("the API server is away")
RUNNING, ENDED = {"running": {}}, {"terminated": {"exitCode": 0}}
FAILED = {"terminated": {"exitCode": 1}}


def pod(state: dict[str, Any], policy: str = "Never") -> dict[str, Any]:
    told = [{"name": "main", "state": state}, {"name": "beside", "state": RUNNING}]
    return {
        "metadata": {"namespace": "n", "name": "p", "uid": "u"},
        "spec": {"restartPolicy": policy},
        "status": {"phase": "Running", "containerStatuses": told},
    }


class Server:
    """Answers what it is told to, in order: parts of the log and what ends them, and pods."""

    namespace = "n"

    def __init__(self, streams: list[list[Any]], pods: list[Any]) -> None:
        self.streams, self.pods = iter(streams), iter(pods)

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        for each in next(self.streams):
            if isinstance(each, Exception):
                raise each
            yield each

    def get(self, *_: Any) -> Any:
        found = next(self.pods)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    ("streams", "pods", "text", "was_there"),
    [
        pytest.param([[b"1 a\n"]], [pod(ENDED)], b"a\n", True, id="to its end"),
        pytest.param([[]], [pod(ENDED)], b"", True, id="nothing is written"),
        pytest.param([[Invalid([])]], [], b"", False, id="it has not started"),
        pytest.param([[NotFound("gone")]], [], b"", False, id="it is gone"),
        pytest.param(
            [[b"1 a\n", AWAY], [AWAY], [b"1 a\n2 b\n"]],
            [AWAY, pod(RUNNING), pod(ENDED)],
            b"a\nb\n",
            True,
            id="the server goes away",
        ),
        pytest.param(
            [[b"1 a\n"], [Invalid([])], [b"2 b\n"]],
            [pod(FAILED, "OnFailure"), pod({"waiting": {}}, "OnFailure"), pod(ENDED, "OnFailure")],
            b"a\nb\n",
            True,
            id="its container is started again",
        ),
        pytest.param(
            [[b"1 a\n"]], [NotFound("gone")], b"a\n", True, id="its pod is gone at the end"
        ),
    ],
)
def test_a_log_is_followed_until_its_container_has_ended_for_good(
    streams: list[list[Any]],
    pods: list[Any],
    text: bytes,
    was_there: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(cluster_logs.time, "sleep", lambda _: None)
    logs = ClusterLogs(Server(streams, pods), None, lambda _: None)
    ends: list[bool] = []

    def parts() -> Iterator[bytes]:
        outages = Outages(lambda _: None)
        ends.append((yield from logs._followed(pod(RUNNING), "main", None, outages)))

    assert b"".join(parts()) == text
    assert ends == [was_there]
