"""What each caller of the metrics service may do, and what is said to the others."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from tunewright.api.errors import StoreUnavailable
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.db.authority import Caller
from tunewright.db.connection import Database
from tunewright.db.metrics_service import STREAMS, THREADS, serve
from tunewright.db.migrate import upgrade
from tunewright.db.sql import SqlStore, open_store
from tunewright.db.store import Store
from tunewright.proto import (
    api_pb2,
    api_pb2_grpc,
    health_pb2,
    health_pb2_grpc,
    tunewright_pb2,
    tunewright_pb2_grpc,
)

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
DENIED = grpc.StatusCode.PERMISSION_DENIED

CALLERS = {
    "worker": Caller("pod team/worker", "team", "a-0"),
    "notebook": Caller("pod team/notebook", "team"),
    **{f"pod-{n}": Caller(f"pod team/pod-{n}", "team", "a-0") for n in range(THREADS // STREAMS)},
    "operator": Caller("the operator", operates=True),
    "stranger": Caller("192.0.2.1"),
    "opened": Caller("192.0.2.1", everywhere=True),
}


class ByToken:
    """Knows callers by tokens that are their names; `asked` counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def caller(self, _peer: str, token: str | None) -> Caller:
        self.asked += 1
        return CALLERS[token or "stranger"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two namespaces have a trial of the same name."""
    opened = open_store(tmp_path / "store.db")
    for namespace in ("team", "other"):
        key = ExperimentKey(namespace, "a")
        uid = opened.create_experiment(
            key, DOCUMENT, seed=1, workdir="/", now=1.0, uid=namespace
        ).uid
        opened.propose(uid, 0, [("a-0", Proposal({"x": 1}))], made_from=0, now=1.0)
        opened.start_attempt(uid, 0, 1, token="t", now=1.0)
    yield opened
    opened.close()


@pytest.fixture
def authority() -> ByToken:
    return ByToken()


@pytest.fixture
def channel(store: Store, authority: ByToken) -> Iterator[grpc.Channel]:
    server, address = serve(store, "127.0.0.1:0", authority=authority)
    with grpc.insecure_channel(address) as opened:
        yield opened
    server.stop(None).wait()


def batch(first: int = 0, namespace: str = "team", trial: str = "a-0"):
    sample = tunewright_pb2.Sample(metric="loss", value=0.5, time=2.0)
    return tunewright_pb2.ReportRequest(
        namespace=namespace,
        trial=trial,
        attempt=1,
        source="StdOut",
        first_sequence=first,
        samples=[sample],
    )


def stream(channel: grpc.Channel, metadata, timeout: float | None = None, **where):
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    list(stub.Report(iter([batch(**where)]), metadata=metadata, timeout=timeout))


def report(channel: grpc.Channel, metadata, trial: str = "a-0"):
    log = api_pb2.ObservationLog()
    row = log.metric_logs.add(time_stamp="2026-01-31T12:00:00Z")
    row.metric.name, row.metric.value = "loss", "0.5"
    request = api_pb2.ReportObservationLogRequest(trial_name=trial, observation_log=log)
    api_pb2_grpc.DBManagerStub(channel).ReportObservationLog(request, metadata=metadata)


def read(channel: grpc.Channel, metadata):
    request = api_pb2.GetObservationLogRequest(trial_name="a-0")
    api_pb2_grpc.DBManagerStub(channel).GetObservationLog(request, metadata=metadata)


def remove(channel: grpc.Channel, metadata):
    request = api_pb2.DeleteObservationLogRequest(trial_name="a-0")
    api_pb2_grpc.DBManagerStub(channel).DeleteObservationLog(request, metadata=metadata)


def operate(channel: grpc.Channel, metadata):
    stub = tunewright_pb2_grpc.ArchiveStub(channel)
    stub.Stops(tunewright_pb2.StopsRequest(), metadata=metadata)
    stub.Look(tunewright_pb2.LookRequest(uid="team"), metadata=metadata)


def elsewhere(channel: grpc.Channel, metadata):
    stream(channel, metadata, namespace="other")


def for_another(channel: grpc.Channel, metadata):
    stream(channel, metadata, trial="a-1")


MAY = [
    ("worker", stream),
    ("worker", report),
    ("worker", read),
    ("notebook", read),
    ("operator", operate),
    ("operator", stream),
    ("opened", elsewhere),
]
MAY_NOT = [
    ("worker", elsewhere, "--open"),
    ("worker", for_another, "only a pod of the trial may"),
    ("worker", remove, "--open"),
    ("worker", operate, "--operator-account"),
    ("notebook", stream, "pod team/notebook may not report: only a pod of a trial may"),
    ("stranger", stream, "192.0.2.1 may not report"),
    ("notebook", report, "--open"),
    ("stranger", read, "192.0.2.1 may not read"),
    ("stranger", report, "--open"),
    ("opened", operate, "--operator-account"),
]


def metadata_of(who: str):
    return [("authorization", f"Bearer {who}")]


@pytest.mark.parametrize(
    ("who", "call"), [pytest.param(w, c, id=f"{w} {c.__name__}") for w, c in MAY]
)
def test_a_caller_may_do_what_its_part_needs(channel: grpc.Channel, who: str, call):
    call(channel, metadata_of(who))


@pytest.mark.parametrize(
    ("who", "call", "said"), [pytest.param(*c, id=f"{c[0]} {c[1].__name__}") for c in MAY_NOT]
)
def test_a_caller_may_not_and_is_told_what_would_let_it(
    channel: grpc.Channel, who: str, call, said: str
):
    with pytest.raises(grpc.RpcError) as refused:
        call(channel, metadata_of(who))
    assert refused.value.code() is DENIED
    assert said in refused.value.details()


def test_a_name_that_two_namespaces_have_is_the_callers_own(store: Store, channel: grpc.Channel):
    report(channel, metadata_of("worker"))
    assert store.observation("team", 0)["loss"].count == 1
    assert store.observation("other", 0) == {}


def test_a_stream_is_asked_once_who_it_is(channel: grpc.Channel, authority: ByToken):
    batches = iter([batch(number) for number in range(5)])
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    assert len(list(stub.Report(batches, metadata=metadata_of("worker")))) == 5
    assert authority.asked == 1


@pytest.fixture
def silence() -> Iterator[Callable[[], Iterator[tunewright_pb2.ReportRequest]]]:
    """Streams that say nothing until the end of the test."""
    over = threading.Event()

    def says() -> Iterator[tunewright_pb2.ReportRequest]:
        over.wait()
        yield from ()

    yield says
    over.set()


def test_a_stranger_that_says_nothing_holds_no_thread(channel: grpc.Channel, silence):
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.Report(silence(), metadata=metadata_of("stranger"), timeout=10))
    assert refused.value.code() is DENIED


def test_a_pod_holds_a_few_streams_and_not_all(channel: grpc.Channel, silence):
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    held = [
        stub.Report(itertools.chain([batch()], silence()), metadata=metadata_of("worker"))
        for _ in range(STREAMS)
    ]
    assert [next(each).last_sequence for each in held] == [0] * STREAMS
    with pytest.raises(grpc.RpcError) as refused:
        stream(channel, metadata_of("worker"))
    assert "holds 8 streams already" in refused.value.details()
    stream(channel, metadata_of("operator"))
    for each in held:
        each.cancel()


def test_calls_without_a_request_do_not_take_the_threads_of_others(channel: grpc.Channel, silence):
    silent = channel.stream_unary("/api.v1.beta1.DBManager/GetObservationLog")
    held = [silent.future(silence()) for _ in range(THREADS + 1)]
    stream(channel, metadata_of("worker"), timeout=20)
    for each in held:
        each.cancel()


def test_of_the_pods_that_say_nothing_those_longest_silent_make_way(channel: grpc.Channel, silence):
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    held = [
        stub.Report(itertools.chain([batch()], silence()), metadata=metadata_of(f"pod-{number}"))
        for number in range(THREADS // STREAMS)
        for _ in range(STREAMS)
    ]
    stream(channel, metadata_of("worker"), timeout=20)
    with pytest.raises(grpc.RpcError) as ended:
        list(held[0])
    assert ended.value.code() is grpc.StatusCode.CANCELLED
    for each in held:
        each.cancel()


def test_who_lacks_the_token_is_told_before_a_request_has_come(store: Store, silence):
    server, address = serve(store, "127.0.0.1:0", token="secret")
    with grpc.insecure_channel(address) as channel:
        silent = channel.stream_unary("/api.v1.beta1.DBManager/GetObservationLog")
        with pytest.raises(grpc.RpcError) as refused:
            silent(silence(), timeout=10)
    server.stop(None).wait()
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_call_that_ends_without_a_request_is_told_so(channel: grpc.Channel):
    empty = channel.stream_unary("/api.v1.beta1.DBManager/GetObservationLog")
    with pytest.raises(grpc.RpcError, match="the call carries none"):
        empty(iter(()), timeout=10)


def test_what_a_reporter_says_of_itself_is_written_down(store: Store, channel: grpc.Channel):
    note = tunewright_pb2.ReporterNote(seen=["los"], dropped=3, done=True)
    last = batch()
    last.note.CopyFrom(note)
    del last.samples[:]
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    replies = stub.Report(iter([last, batch(), last]), metadata=metadata_of("worker"))
    assert [reply.last_sequence for reply in replies] == [-1, 0, 0]
    (found,) = store.reporters("team", 0, 1)
    assert (found.source, found.seen, found.dropped, found.done) == ("StdOut", ("los",), 3, True)


class Away(SqlStore):
    """A store that does not answer."""

    def pending_stops(self):
        raise StoreUnavailable("the store does not answer")


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [
        (SqlStore, "tunewright.v1.Metrics", "SERVING"),
        (Away, "grpc.health.v1.Health", "NOT_SERVING"),
        (Away, "", "SERVING"),
    ],
)
def test_a_service_whose_store_is_away_is_alive_and_not_well(
    tmp_path: Path, kind, name: str, status: str
):
    database = Database(tmp_path / "store.db")
    upgrade(database)
    with closing(kind(database)) as store:
        server, address = serve(store, "127.0.0.1:0")
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            found = health.Check(health_pb2.HealthCheckRequest(service=name)).status
        server.stop(None).wait()
    assert health_pb2.HealthCheckResponse.ServingStatus.Name(found) == status
