"""The early-stopping service that Katib's controller asks, over the metrics service's DBManager."""

import grpc
import pytest
from tunewright.api.errors import NotFound
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.db.metrics_service import serve
from tunewright.db.sql import open_store
from tunewright.proto import api_pb2, api_pb2_grpc, serving
from tunewright.suggestion.service import start_service

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
CURVES = ([1.0, 1.0, 9.0], [2.0, 4.0, 9.0], [8.0, 8.0, 9.0])
"""What three trials reported; their averages after two reports are 1, 3 and 8."""

ENDED = ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED")


@pytest.fixture
def metrics(tmp_path):
    """Serve what the trials t-0, t-1, t-2 reported; give the address."""
    store = open_store(tmp_path / "store.db")
    uid = store.create_experiment(
        ExperimentKey("default", "e"), DOCUMENT, seed=1, workdir="/", now=1.0
    ).uid
    points = [(f"t-{n}", Proposal({"x": n})) for n in range(len(CURVES))]
    store.propose(uid, 0, points, made_from=0, now=1.0)
    for index, curve in enumerate(CURVES):
        store.start_attempt(uid, index, 1, token=f"t{index}", now=1.0)
        samples = tuple(Sample("loss", value, float(n)) for n, value in enumerate(curve, start=1))
        store.append(Batch(uid, index, 1, "stdout", 0, samples), now=2.0)
    server, address = serve(store, "127.0.0.1:0")
    yield address
    server.stop(None).wait()
    store.close()


@pytest.fixture
def marked():
    return []


@pytest.fixture
def stub(marked):
    def mark(trial):
        if trial == "nobody":
            raise NotFound("there is no trial nobody")
        marked.append(trial)

    server, address = start_service("127.0.0.1:0", mark_stopped=mark)
    with grpc.insecure_channel(address) as channel:
        yield api_pb2_grpc.EarlyStoppingStub(channel)
    server.stop(0).wait()


def spec(rule="medianstop", **settings):
    return api_pb2.EarlyStoppingSpec(
        algorithm_name=rule,
        algorithm_settings=[
            api_pb2.EarlyStoppingSetting(name=name, value=value) for name, value in settings.items()
        ],
    )


def question(metrics, stopping, *, maximize=False, states=ENDED):
    asked = api_pb2.GetEarlyStoppingRulesRequest(db_manager_address=metrics)
    asked.experiment.name = "e"
    asked.experiment.spec.early_stopping.CopyFrom(stopping)
    asked.experiment.spec.objective.type = api_pb2.MAXIMIZE if maximize else api_pb2.MINIMIZE
    asked.experiment.spec.objective.objective_metric_name = "loss"
    for index, state in enumerate(states):
        trial = asked.trials.add(name=f"t-{index}")
        trial.status.condition = api_pb2.TrialStatus.TrialConditionType.Value(state)
    return asked


@pytest.mark.parametrize(
    ("stopping", "maximize", "value"),
    [
        pytest.param(spec(start_step="2"), False, 3.0, id="the median of the averages"),
        pytest.param(spec(start_step="2"), True, 3.0, id="of what should be large"),
        pytest.param(spec(start_step="9"), False, 5.0, id="of those that are shorter"),
        pytest.param(spec("percentile", percentile="25", start_step="2"), False, 2.0, id="another"),
    ],
)
def test_a_rule_becomes_the_limit_that_the_succeeded_trials_say(
    stub, metrics, stopping, maximize, value
):
    (limit,) = stub.GetEarlyStoppingRules(
        question(metrics, stopping, maximize=maximize)
    ).early_stopping_rules

    assert (limit.name, float(limit.value)) == ("loss", value)
    assert limit.comparison == (api_pb2.LESS if maximize else api_pb2.GREATER)
    assert str(limit.start_step) == stopping.algorithm_settings[-1].value


class Counting(api_pb2_grpc.DBManagerServicer):
    """Tells one value of each trial, and notes of which it was asked."""

    def __init__(self):
        self.asked = []

    def GetObservationLog(self, request, context):  # noqa: N802
        self.asked.append(request.trial_name)
        reply = api_pb2.GetObservationLogReply()
        row = reply.observation_log.metric_logs.add(time_stamp="2026-01-31T12:00:00Z")
        row.metric.name, row.metric.value = request.metric_name, request.trial_name[-1]
        return reply


def test_what_a_trial_reported_is_read_once_however_often_rules_are_asked_for(stub):
    counting = Counting()
    server, address = serving.start(
        "127.0.0.1:0",
        lambda server: api_pb2_grpc.add_DBManagerServicer_to_server(counting, server),
    )
    try:
        first = stub.GetEarlyStoppingRules(question(address, spec(), states=ENDED))
        second = stub.GetEarlyStoppingRules(question(address, spec(), states=(*ENDED, *ENDED)))
    finally:
        server.stop(0).wait()

    assert counting.asked == [f"t-{n}" for n in range(6)]
    values = [float(reply.early_stopping_rules[0].value) for reply in (first, second)]
    assert values == [1.0, 2.5]


def test_too_few_succeeded_trials_make_no_limit(stub, metrics):
    states = ("SUCCEEDED", "SUCCEEDED", "RUNNING")
    assert not stub.GetEarlyStoppingRules(
        question(metrics, spec(), states=states)
    ).early_stopping_rules


def test_an_experiment_without_a_rule_has_no_limit(stub):
    asked = api_pb2.GetEarlyStoppingRulesRequest(db_manager_address="127.0.0.1:1")
    asked.trials.add(name="t-0")
    assert not stub.GetEarlyStoppingRules(asked).early_stopping_rules


def test_metrics_that_cannot_be_read_are_named_and_asked_for_again(stub):
    with pytest.raises(grpc.RpcError, match="what t-0 reported cannot be read") as caught:
        stub.GetEarlyStoppingRules(question("127.0.0.1:1", spec()), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("stopping", "says"),
    [
        (spec("unknown"), "unknown algorithm name unknown"),
        (spec(unknown_conf="1"), "unknown setting unknown_conf for algorithm medianstop"),
        (spec(min_trials_required="0"), "min_trials_required must be greater than zero (>0)"),
        (spec(start_step="0"), "start_step must be greater or equal than one (>=1)"),
        (
            spec("plateau"),
            "the rule plateau comes to no limit, and api.v1.beta1 carries nothing else",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_in_katibs_words(stub, stopping, says):
    request = api_pb2.ValidateEarlyStoppingSettingsRequest(early_stopping=stopping)
    with pytest.raises(grpc.RpcError) as caught:
        stub.ValidateEarlyStoppingSettings(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == says


def test_settings_of_katibs_are_taken(stub):
    stopping = spec(min_trials_required="2", start_step="5")
    stub.ValidateEarlyStoppingSettings(
        api_pb2.ValidateEarlyStoppingSettingsRequest(early_stopping=stopping)
    )


def test_a_trial_that_was_stopped_is_marked_and_one_that_is_not_there_is_not_found(stub, marked):
    stub.SetTrialStatus(api_pb2.SetTrialStatusRequest(trial_name="t-1"))
    assert marked == ["t-1"]
    with pytest.raises(grpc.RpcError) as caught:
        stub.SetTrialStatus(api_pb2.SetTrialStatusRequest(trial_name="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
