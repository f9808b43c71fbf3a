"""Metrics that are read from a pod's log: nothing of it is lost when the API server goes away."""

import asyncio
import contextlib
from itertools import chain, repeat

import pytest
from support.operated import experiment
from tunewright.api.errors import Forbidden, ServerUnavailable, StoreUnavailable
from tunewright.api.history import Proposal
from tunewright.api.states import TrialState
from tunewright.controller.brief import brief_of
from tunewright.controller.kube import logs
from tunewright.controller.kube.experiments import experiment_record
from tunewright.controller.kube.logs import LogReaders
from tunewright.controller.kube.port import Listing
from tunewright.controller.ports import WallClock
from tunewright.db.records import TrialRecord

AT = "2026-01-01T00:00:00Z"
TRIAL = TrialRecord(
    index=0,
    name="t",
    state=TrialState.RUNNING,
    reason="",
    message="",
    proposal=Proposal({"x": 1.0}),
    made_from=0,
    created_at=0.0,
    started_at=0.0,
    finished_at=None,
    value=None,
    attempt=None,
)
FORBIDDEN = Forbidden("the API server forbids it")
DOWN = ServerUnavailable("dial tcp: connection refused", after=0.001)
LINES = tuple(f"{AT} loss={step}\n".encode() for step in (3, 2, 1))


def pod(state: str, restarts: int = 0, *, deleted: bool = False):
    told = {"name": "main", "state": {state: {}}, "restartCount": restarts}
    gone = {"deletionTimestamp": AT} if deleted else {}
    return {
        "metadata": {"name": "pod", "namespace": "ns", "uid": "u"} | gone,
        "status": {"containerStatuses": [told]},
    }


class Server:
    """Serves a log so many lines at a time, or raises, and says of the pod what is next.

    A log does not end before `happened`.
    """

    def __init__(self, served, pods, happened, written):
        self._written = written
        self._happened = happened
        self._served = iter(served)
        self._pods = chain(pods, repeat(pods[-1]))

    @contextlib.asynccontextmanager
    async def log(self, namespace, name, container, *, silence):
        count = next(self._served)
        if isinstance(count, Exception):
            raise count

        async def lines():
            for line in self._written[:count]:
                yield line
            await asyncio.wait_for(self._happened.wait(), 5)

        yield lines()

    async def list(self, selection):
        found = next(self._pods)
        return Listing([] if found is None else [found], "1")


class Kept:
    """What the metrics service keeps: a number twice is the same sample.

    `failures` are its answers to the first reports. It takes no larger ones than it may be sent.
    """

    def __init__(self, failures=()):
        self.samples = {}
        self.is_done = False
        self.has_some = asyncio.Event()
        self._failures = iter(failures)

    async def report(self, trial, batch, said):
        failure = next(self._failures, None)
        if failure is not None:
            raise failure
        assert len(batch.samples) <= min(logs.MOST_SENT, logs.MOST_WAITING + 1)
        self.has_some.set()
        for number, sample in enumerate(batch.samples, batch.first_sequence):
            self.samples[number] = sample[1]
        self.is_done |= said.done


def follow(monkeypatch, served, pods, failures=(), written=LINES) -> Kept:
    """Read a log until nothing more is expected of it."""
    monkeypatch.setattr(logs, "SEND_SECONDS", 0.01)
    monkeypatch.setattr(logs, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(logs, "END_SECONDS", 0.02)
    monkeypatch.setattr(logs, "DOUBT_SECONDS", 0.01)
    document = experiment()
    document["metadata"] |= {
        "namespace": "ns",
        "uid": "e",
        "generation": 1,
        "creationTimestamp": AT,
    }
    record, _ = experiment_record(document)
    kept = Kept(failures)
    if not failures:
        kept.has_some.set()

    async def reading():
        ended = asyncio.Event()
        readers = LogReaders(
            Server(served, pods, kept.has_some, written), kept, WallClock(), ended.set
        )
        readers.follow(record, brief_of(record), TRIAL, [pod("running")])
        await asyncio.wait_for(ended.wait(), 10)
        assert not readers.is_reading(0)

    asyncio.run(reading())
    return kept


def read(monkeypatch, served, pods, failures=(), written=LINES) -> list[float]:
    """Read a log to its end, and tell so; return the values that were kept."""
    kept = follow(monkeypatch, served, pods, failures, written)
    assert kept.is_done
    return [kept.samples[number] for number in sorted(kept.samples)]


def test_a_log_ends_with_its_container(monkeypatch):
    assert read(monkeypatch, [3], [pod("running"), pod("terminated")]) == [3, 2, 1]


def test_a_log_that_ends_before_its_container_is_read_again(monkeypatch):
    goes_on = [pod("running"), pod("running")]

    assert read(monkeypatch, [1, 3], [*goes_on, pod("terminated")]) == [3, 2, 1]


def test_a_log_that_is_refused_for_a_moment_is_asked_for_again(monkeypatch):
    assert read(monkeypatch, [FORBIDDEN] * 2 + [3], [pod("terminated")]) == [3, 2, 1]


@pytest.mark.parametrize(
    "failure", [StoreUnavailable("away", after=0.01), Forbidden("not yet")], ids=["away", "refused"]
)
def test_what_is_read_is_told_while_the_log_goes_on_however_often_nobody_took_it(
    monkeypatch, failure
):
    assert read(monkeypatch, [3], [pod("terminated")], [failure] * 3) == [3, 2, 1]


@pytest.mark.parametrize(
    "last",
    [pod("terminated"), pod("running", deleted=True)],
    ids=["its container has ended", "its pod is being deleted"],
)
def test_a_log_on_a_node_that_is_down_is_asked_for_while_more_may_come_and_a_while_after(
    monkeypatch, last
):
    monkeypatch.setattr(logs, "UNREAD", 3)
    answers = iter([DOWN] * 50)
    kept = follow(monkeypatch, answers, [pod("running")] * 5 + [last])
    assert not kept.is_done
    assert len(list(answers)) == 50 - 5 - 3


def test_a_log_is_read_once_its_node_is_back(monkeypatch):
    monkeypatch.setattr(logs, "UNREAD", 3)
    assert read(monkeypatch, [DOWN, DOWN, 3], [pod("terminated")]) == [3, 2, 1]


def test_what_waited_for_long_is_told_in_reports_that_are_not_too_large(monkeypatch):
    monkeypatch.setattr(logs, "MOST_SENT", 2)
    away = [StoreUnavailable("away", after=0.01)] * 3
    assert read(monkeypatch, [3], [pod("terminated")], away) == [3, 2, 1]


def test_a_log_is_read_no_faster_than_what_is_in_it_is_told(monkeypatch):
    monkeypatch.setattr(logs, "MOST_WAITING", 2)
    away = [StoreUnavailable("away", after=0.01)] * 3
    assert read(monkeypatch, [9], [pod("terminated")], away, LINES * 3) == [3, 2, 1] * 3


def test_a_log_ends_where_the_next_start_of_its_container_runs(monkeypatch):
    assert read(monkeypatch, [3], [pod("running", restarts=1)]) == [3, 2, 1]


def test_the_names_of_logs_are_few_however_many_pods_there_are():
    names = {logs._source(f"00000000-0000-0000-0000-{pod:012x}", 1) for pod in range(20_000)}
    assert len(names) <= 4096
    assert len({logs._source(pod, starts) for pod in ("a", "b") for starts in (1, 2)}) == 4


def test_a_log_ends_with_a_pod_that_is_gone(monkeypatch):
    assert read(monkeypatch, [2], [None]) == [3, 2]


def test_a_line_that_comes_in_pieces_is_one(monkeypatch):
    written = (f"{AT} lo".encode(), b"ss", b"=3\n", *LINES[1:])

    assert read(monkeypatch, [5], [pod("terminated")], written=written) == [3, 2, 1]
