"""Metrics over the wire, spoken by real clients to a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tunewright.api.errors import Unsupported
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.db.metrics_service import NEVER, serve
from tunewright.db.sql import open_store
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
AT = "2026-01-31T12:00:00.5Z"


def with_trial(store: Store, namespace: str = "default") -> str:
    key = ExperimentKey(namespace, "a")
    uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    store.propose(uid, 0, [("a-0", Proposal({"x": 1}))], made_from=0, now=1.0)
    store.start_attempt(uid, 0, 1, token="t", now=1.0)
    return uid


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def served(store: Store) -> Iterator[Callable[..., grpc.Channel]]:
    """Serve the store, and return a channel to it."""
    ends: list[Callable[[], object]] = []

    def start(**options) -> grpc.Channel:
        server, address = serve(store, "127.0.0.1:0", clock=lambda: 5.0, **options)
        channel = grpc.insecure_channel(address)
        ends.extend([lambda: server.stop(None).wait(), channel.close])
        return channel

    yield start
    for end in reversed(ends):
        end()


def log_of(*rows: tuple[str, str, str]) -> api_pb2.ObservationLog:
    return api_pb2.ObservationLog(
        metric_logs=[
            api_pb2.MetricLog(time_stamp=at, metric=api_pb2.Metric(name=name, value=value))
            for at, name, value in rows
        ]
    )


def test_what_katibs_client_reports_it_reads_again(store: Store, served):
    with_trial(store)
    stub = api_pb2_grpc.DBManagerStub(served())
    rows = [(AT, "loss", "0.5"), ("2026-01-31T12:00:01Z", "loss", "0.25"), (AT, "acc", "1.0")]
    report = api_pb2.ReportObservationLogRequest(trial_name="a-0", observation_log=log_of(*rows))
    stub.ReportObservationLog(report)
    found = stub.GetObservationLog(
        api_pb2.GetObservationLogRequest(trial_name="a-0", metric_name="loss")
    )
    assert found.observation_log == log_of(*rows[:2])
    ranged = stub.GetObservationLog(
        api_pb2.GetObservationLogRequest(trial_name="a-0", start_time="2026-01-31T13:00:01+01:00")
    )
    assert ranged.observation_log == log_of(rows[1])


def test_rows_without_a_sequence_are_appended(store: Store, served):
    uid = with_trial(store)
    stub = api_pb2_grpc.DBManagerStub(served())
    for _ in range(2):
        stub.ReportObservationLog(
            api_pb2.ReportObservationLogRequest(
                trial_name="a-0", observation_log=log_of((AT, "loss", "0.5"))
            )
        )
    assert store.observation(uid, 0)["loss"].count == 2


def test_what_is_no_value_says_nothing(store: Store, served):
    uid = with_trial(store)
    stub = api_pb2_grpc.DBManagerStub(served())
    rows = [(AT, "loss", "unavailable"), ("", "loss", "0.5"), (AT, "loss", "nan")]
    for log in (log_of(*rows), log_of()):
        stub.ReportObservationLog(
            api_pb2.ReportObservationLogRequest(trial_name="a-0", observation_log=log)
        )
    assert store.observation(uid, 0)["loss"].count == 1


@pytest.mark.parametrize("moment", [1.7e12, -1e12, 1e300], ids="{:g}".format)
def test_a_time_that_no_calendar_has_is_never(store: Store, served, moment: float):
    uid = with_trial(store)
    sample = Sample("loss", 0.5, moment)
    store.record([Batch(uid, 0, 1, "stdout", 0, (sample,))], now=1.0)
    stub = api_pb2_grpc.DBManagerStub(served())
    found = stub.GetObservationLog(api_pb2.GetObservationLogRequest(trial_name="a-0"))
    (entry,) = found.observation_log.metric_logs
    assert (entry.time_stamp, entry.metric.value) == (NEVER, "0.5")


def test_a_deleted_log_is_empty(store: Store, served):
    with_trial(store)
    stub = api_pb2_grpc.DBManagerStub(served())
    report = api_pb2.ReportObservationLogRequest(
        trial_name="a-0", observation_log=log_of((AT, "loss", "0.5"))
    )
    stub.ReportObservationLog(report)
    stub.DeleteObservationLog(api_pb2.DeleteObservationLogRequest(trial_name="a-0"))
    found = stub.GetObservationLog(api_pb2.GetObservationLogRequest(trial_name="a-0"))
    assert not found.observation_log.metric_logs


@pytest.mark.parametrize(
    ("call", "request_", "code", "words"),
    [
        pytest.param(
            "ReportObservationLog",
            api_pb2.ReportObservationLogRequest(trial_name="nobody"),
            grpc.StatusCode.NOT_FOUND,
            "there is no trial nobody",
            id="an unknown trial",
        ),
        pytest.param(
            "GetObservationLog",
            api_pb2.GetObservationLogRequest(trial_name="a-0", start_time="yesterday"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "start_time: 'yesterday' is not a time",
            id="a time that is none",
        ),
    ],
)
def test_a_wrong_request_gets_a_code_and_a_reason(
    store: Store, served, call, request_, code, words
):
    with_trial(store)
    with pytest.raises(grpc.RpcError) as refused:
        getattr(api_pb2_grpc.DBManagerStub(served()), call)(request_)
    assert refused.value.code() is code
    assert words in refused.value.details()


def test_a_trial_that_nobody_knows_has_an_empty_log_which_may_be_removed(served):
    """Katib's controller and its clients ask before anything was reported, and once it is gone."""
    stub = api_pb2_grpc.DBManagerStub(served())
    found = stub.GetObservationLog(api_pb2.GetObservationLogRequest(trial_name="nobody"))
    assert not found.observation_log.metric_logs
    stub.DeleteObservationLog(api_pb2.DeleteObservationLogRequest(trial_name="nobody"))


@pytest.mark.parametrize("letter", ["a", "ä", "%"])
def test_a_long_reason_leaves_the_code_as_it_is(store: Store, served, letter: str):
    stub = api_pb2_grpc.DBManagerStub(served())
    with pytest.raises(grpc.RpcError, match="there is no trial") as caught:
        stub.ReportObservationLog(api_pb2.ReportObservationLogRequest(trial_name=letter * 20_000))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_name_of_two_namespaces_is_refused_rather_than_mixed(store: Store, served):
    with_trial(store)
    with_trial(store, "team")
    with pytest.raises(grpc.RpcError) as refused:
        api_pb2_grpc.DBManagerStub(served()).GetObservationLog(
            api_pb2.GetObservationLogRequest(trial_name="a-0")
        )
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_a_stream_is_acknowledged_batch_by_batch(store: Store, served):
    uid = with_trial(store, "team")
    stub = tunewright_pb2_grpc.MetricsStub(served())

    def batch(first: int, *values: float) -> tunewright_pb2.ReportRequest:
        samples = [tunewright_pb2.Sample(metric="loss", value=v, time=2.0, step=1) for v in values]
        return tunewright_pb2.ReportRequest(
            namespace="team",
            trial="a-0",
            attempt=1,
            source="push",
            first_sequence=first,
            samples=samples,
        )

    replies = stub.Report(iter([batch(0, 0.5, 0.4), batch(1, 0.4, 0.3), batch(3, 0.2)]))
    assert [reply.last_sequence for reply in replies] == [1, 2, 3]
    assert [sample.value for sample in store.samples(uid, 0)] == [0.5, 0.4, 0.3, 0.2]


def test_a_sample_without_a_time_is_refused_by_name(store: Store, served):
    with_trial(store)
    sample = tunewright_pb2.Sample(metric="loss", value=0.5, time=float("nan"))
    request = tunewright_pb2.ReportRequest(trial="a-0", attempt=1, source="push", samples=[sample])
    with pytest.raises(grpc.RpcError) as refused:
        list(tunewright_pb2_grpc.MetricsStub(served()).Report(iter([request])))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "samples.time: nan is not a time" in refused.value.details()


NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"attempt": 0}, NOT_FOUND, "trial a-0 has no attempt 0"),
        ({"attempt": -1}, NOT_FOUND, "trial a-0 has no attempt -1"),
        ({"first_sequence": -1}, INVALID, "first_sequence: -1 numbers no sample"),
        ({"first_sequence": 2**63 - 1}, INVALID, f"{2**63 - 1} numbers no sample"),
    ],
    ids=["no attempt", "an attempt below 0", "a sequence below 0", "a sequence without end"],
)
def test_samples_that_would_be_lost_are_refused(store: Store, served, changed, code, words):
    with_trial(store)
    given = {"trial": "a-0", "attempt": 1, "source": "push", **changed}
    sample = tunewright_pb2.Sample(metric="loss", value=0.5, time=2.0)
    request = tunewright_pb2.ReportRequest(samples=[sample], **given)

    with pytest.raises(grpc.RpcError) as refused:
        list(tunewright_pb2_grpc.MetricsStub(served()).Report(iter([request])))

    assert refused.value.code() is code
    assert words in refused.value.details()


def test_a_wrong_token_is_refused_and_health_needs_none(store: Store, served):
    with_trial(store)
    channel = served(token="secret")
    stub = api_pb2_grpc.DBManagerStub(channel)
    asked = api_pb2.GetObservationLogRequest(trial_name="a-0")
    for metadata in ((), (("authorization", "Bearer wrong"),)):
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetObservationLog(asked, metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    stub.GetObservationLog(asked, metadata=(("authorization", "Bearer secret"),))
    health = health_pb2_grpc.HealthStub(channel)
    status = health.Check(health_pb2.HealthCheckRequest(service="grpc.health.v1.Health")).status
    assert status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_it_listens_beyond_this_machine_only_for_known_callers(store: Store):
    with pytest.raises(Unsupported, match="other machines"):
        serve(store, "0.0.0.0:0")


def test_a_taken_address_is_named(store: Store):
    server, address = serve(store, "127.0.0.1:0")
    try:
        with pytest.raises(Unsupported, match="taken"):
            serve(store, address)
    finally:
        server.stop(None).wait()


def test_a_request_that_is_too_large_is_refused_before_anybody_reads_it(store, served, monkeypatch):
    monkeypatch.setattr("tunewright.db.metrics_service.LARGEST", 1 << 20)
    stub = api_pb2_grpc.DBManagerStub(served())
    with pytest.raises(grpc.RpcError) as refused:
        stub.ReportObservationLog(api_pb2.ReportObservationLogRequest(trial_name="a" * (2 << 20)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_of_the_names_that_a_reporter_has_seen_some_are_kept(store: Store, served):
    uid = with_trial(store)
    seen = ["m" * 1000, *(f"m{number}" for number in range(10_000))]
    note = tunewright_pb2.ReporterNote(seen=seen)
    request = tunewright_pb2.ReportRequest(trial="a-0", attempt=1, source="StdOut", note=note)
    list(tunewright_pb2_grpc.MetricsStub(served()).Report(iter([request])))
    (reporter,) = store.reporters(uid, 0, 1)
    assert reporter.seen == ("m" * 255, *seen[1:100])
