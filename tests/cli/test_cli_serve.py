"""The gRPC services as a person starts them, called by real clients."""

import contextlib
import signal
import socket

import grpc
import pytest
from support.certificates import self_signed
from support.forked import Forked
from support.waiting import until
from tunewright.proto import api_pb2, api_pb2_grpc, health_pb2, health_pb2_grpc

SUGGESTION = "manager.v1beta1.Suggestion"


@pytest.fixture
def served(tunewright):
    """Start `tunewright serve …` on a free port; give its address. It ends well by SIGTERM."""
    with contextlib.ExitStack() as ends:

        def start(*words):
            process = tunewright.start("serve", *words, "--port", "0")
            ends.callback(end, process)
            return process.stdout.readline().removeprefix("serving on ").strip()

        yield start


def end(process: Forked) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors


def request(points: int) -> api_pb2.GetSuggestionsRequest:
    asked = api_pb2.GetSuggestionsRequest(
        current_request_number=points, total_request_number=points
    )
    asked.experiment.name = "a"
    spec = asked.experiment.spec
    spec.algorithm.algorithm_name = "random"
    spec.objective.type = api_pb2.MINIMIZE
    spec.objective.objective_metric_name = "loss"
    parameter = spec.parameter_specs.parameters.add(name="x", parameter_type=api_pb2.DOUBLE)
    parameter.feasible_space.min, parameter.feasible_space.max = "0", "1"
    return asked


def test_algorithms_are_served_to_katibs_controller(served):
    with grpc.insecure_channel(served("suggestion")) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        status = health.Check(health_pb2.HealthCheckRequest(service=SUGGESTION)).status
        reply = api_pb2_grpc.SuggestionStub(channel).GetSuggestions(request(3))

    assert status == health_pb2.HealthCheckResponse.SERVING
    assert len(reply.parameter_assignments) == 3


def test_an_experiment_asks_a_served_algorithm(served, tunewright, experiment):
    address = served("suggestion")

    result = tunewright("run", experiment(), "--algorithm", f"random={address}")

    assert result.code == 0, result.err
    assert tunewright("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 3


def test_metrics_are_taken_in_and_given_out_over_the_store(served, tunewright, experiment):
    tunewright("run", experiment())
    (trial, *_) = tunewright("trials", "echo", "-o", "json").json
    log = api_pb2.ObservationLog()
    row = log.metric_logs.add(time_stamp="2026-01-31T12:00:00Z")
    row.metric.name, row.metric.value = "late", "0.25"

    with grpc.insecure_channel(served("metrics")) as channel:
        store = api_pb2_grpc.DBManagerStub(channel)
        store.ReportObservationLog(
            api_pb2.ReportObservationLogRequest(trial_name=trial["name"], observation_log=log)
        )
        kept = store.GetObservationLog(
            api_pb2.GetObservationLogRequest(trial_name=trial["name"], metric_name="late")
        )

    assert [row.metric.value for row in kept.observation_log.metric_logs] == ["0.25"]


GOOD_THEN_SILENT = """
touch at-$TUNEWRIGHT_TRIAL ${trialParameters.x}.point
test $(ls at-* | wc -l) -gt 3 && exec sleep 60
for report in 1 2 3 4 5; do echo loss=1; done
"""


def test_what_others_report_stops_a_hopeless_trial(served, tunewright, experiment, tmp_path):
    def change(document):
        spec = document["spec"]
        spec |= {"maxTrialCount": 4, "earlyStopping": {"algorithmName": "medianstop"}}
        template = spec["trialTemplate"]["trialSpec"]["spec"]["template"]
        template["spec"]["containers"][0]["command"] = ["sh", "-c", GOOD_THEN_SILENT]

    run = tunewright.start("run", experiment(change))
    until(lambda: len(list(tmp_path.glob("at-*"))) == 4)
    hopeless = tunewright("trials", "echo", "-o", "json").json[3]
    log = api_pb2.ObservationLog()
    for second in range(5):
        row = log.metric_logs.add(time_stamp=f"2026-01-31T12:00:0{second}Z")
        row.metric.name, row.metric.value = "loss", "100"
    with grpc.insecure_channel(served("metrics")) as channel:
        api_pb2_grpc.DBManagerStub(channel).ReportObservationLog(
            api_pb2.ReportObservationLogRequest(trial_name=hopeless["name"], observation_log=log)
        )
    run.communicate(timeout=45)

    assert run.returncode == 0
    assert tunewright("trials", "echo", "-o", "json").json[3]["state"] == "EarlyStopped"


def test_callers_must_know_the_token(served, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    with grpc.insecure_channel(served("suggestion", "--token-file", "token")) as channel:
        stub = api_pb2_grpc.SuggestionStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetSuggestions(request(1))
        reply = stub.GetSuggestions(request(1), metadata=[("authorization", "Bearer secret")])

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "secret" not in str(refused.value)
    assert len(reply.parameter_assignments) == 1


@pytest.mark.needs("openssl")
def test_over_tls_a_caller_that_trusts_the_certificate_is_served(served, tmp_path):
    certificate, key = self_signed(tmp_path)
    address = served(
        *("suggestion", "--host", "localhost", "--tls-cert", certificate, "--tls-key", key)
    )
    trusted = grpc.ssl_channel_credentials(certificate.read_bytes())

    with grpc.secure_channel(address, trusted) as channel:
        reply = api_pb2_grpc.SuggestionStub(channel).GetSuggestions(request(1))

    assert len(reply.parameter_assignments) == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["--host", "0.0.0.0"], "token", id="open to the world"),
        pytest.param(["--tls-cert", "experiment.yaml"], "--tls-key", id="half of TLS"),
        pytest.param(["--token-file", "none"], "none", id="no such file"),
    ],
)
def test_what_is_not_safe_is_refused_with_the_remedy(tunewright, experiment, words, named):
    experiment()

    refused = tunewright("serve", "suggestion", "--port", "0", *words)

    assert refused.code == 2
    assert named in refused.err
    assert "Traceback" not in refused.err


def test_a_port_that_is_taken_is_told(tunewright):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = tunewright("serve", "suggestion", "--port", port)

    assert refused.code == 2
    assert f"127.0.0.1:{port} is taken" in refused.err


def test_groups_without_a_proxy_that_names_users_are_refused(tunewright):
    refused = tunewright("serve", "page", "--groups-header", "x-groups")

    assert refused.code == 2
    assert "--groups-header: no proxy is believed (name its --user-header)" in refused.err
