"""Katib's early-stopping plug-ins, over gRPC, with the calls made at once."""

import math

import grpc
import pytest
from support.at_once import AtOnce
from support.search import Log, problem, whole
from tunewright.api.errors import PluginBroken, PluginUnavailable
from tunewright.api.history import Proposal
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.observation import summarize_on
from tunewright.api.stopping import Progress, StoppingRule
from tunewright.proto import api_pb2, api_pb2_grpc, serving
from tunewright.suggestion.early_stopping.endpoints import EndpointRules, validate_at_plugin
from tunewright.suggestion.early_stopping.registry import Rules

LOSS = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
COMPARISONS = {"<": api_pb2.LESS, ">": api_pb2.GREATER, "=": api_pb2.EQUAL}


def limit(comparison, value, start_step=0, metric="loss"):
    return api_pb2.EarlyStoppingRule(
        name=metric, value=value, comparison=COMPARISONS[comparison], start_step=start_step
    )


class Plugin(api_pb2_grpc.EarlyStoppingServicer):
    """Answers with the limits of the test, and keeps what it was asked."""

    def __init__(self):
        self.limits = []
        self.asked = []
        self.told = []

    def GetEarlyStoppingRules(self, request, context):  # noqa: N802
        self.asked.append(request)
        return api_pb2.GetEarlyStoppingRulesReply(early_stopping_rules=self.limits)

    def SetTrialStatus(self, request, context):  # noqa: N802
        self.told.append(request.trial_name)
        return api_pb2.SetTrialStatusReply()

    def ValidateEarlyStoppingSettings(self, request, context):  # noqa: N802
        settings = {one.name: one.value for one in request.early_stopping.algorithm_settings}
        if settings != {"patience": "2"}:
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details("patience must be 2")
        return api_pb2.ValidateEarlyStoppingSettingsReply()


class House:
    """An evaluator over a log: it is the plug-in's source, and the rule's `CurveLog`."""

    def __init__(self, endpoint):
        self.now = 0.0
        self.others = {}
        self.log = Log()
        self.log.propose(Proposal({"n": 1}), Proposal({"n": 2}, name="its-own"))
        self.rule = StoppingRule("mine", {"patience": "2"}, endpoint)
        self.evaluator = EndpointRules(self, lambda: self.now, AtOnce(), timeout=10)
        self.rules = Rules(lambda: self.now, lambda: self.evaluator)

    def problem(self, uid):
        return problem(whole("n", 1, 9), uid=uid)

    def history(self, uid, after):
        return self.log.after(after)

    def metrics_address(self):
        return "unix:/metrics"

    def ended_since(self, uid, position, *, early_stopped=False):
        ended = [entry for entry in self.log.after(position) if hasattr(entry, "verdict")]
        return self.log.position, [entry.index for entry in ended]

    def stop(self, uid, stop):
        raise AssertionError("a plug-in of Katib's names limits, and no stops")

    def observation(self, uid, index):
        return self.others

    def judge(self, best, reports=5, index=1, uid="uid"):
        progress = Progress(index, 1, reports, best, best, best)
        return self.rules.evaluate(uid, self.rule, LOSS, [progress], self)


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def house(plugin):
    def register(server):
        api_pb2_grpc.add_EarlyStoppingServicer_to_server(plugin, server)

    server, address = serving.start("127.0.0.1:0", register)
    made = House(address)
    yield made
    made.evaluator.close()
    server.stop(0).wait()


@pytest.mark.parametrize(
    ("limits", "best", "reports", "stops"),
    [
        pytest.param([], 9.0, 5, False, id="no limit"),
        pytest.param([limit(">", "0.5")], 0.6, 5, True, id="greater"),
        pytest.param([limit(">", "0.5")], 0.5, 5, False, id="not greater"),
        pytest.param([limit("<", "0.5")], 0.4, 5, True, id="less"),
        pytest.param([limit("=", "0.5")], 0.5, 5, True, id="equal"),
        pytest.param([limit(">", "0.5", 4)], 0.6, 3, False, id="before its start_step"),
        pytest.param([limit(">", "0.5", 4)], 0.6, 4, True, id="at its start_step"),
        pytest.param([limit(">", "0.5", 4)], 0.6, 90, True, id="long after it"),
        pytest.param([limit(">", "0.5"), limit(">", "0.7")], 0.6, 5, False, id="one of two"),
        pytest.param([limit(">", "0.5")], math.nan, 5, False, id="nothing but NaN so far"),
    ],
)
def test_a_trial_is_stopped_when_all_limits_are_met(house, plugin, limits, best, reports, stops):
    plugin.limits = limits
    assert bool(house.judge(best, reports)) is stops


@pytest.mark.parametrize(
    ("limits", "reported", "stops"),
    [
        pytest.param([("<", "0.5")], [0.9, 0.4], True, id="its latest value"),
        pytest.param([("<", "0.5")], [0.4, 0.9], False, id="not its best"),
        pytest.param([("<", "0.5", 3)], [0.4, 0.4], False, id="before its own start_step"),
        pytest.param([("<", "0.5", 2)], [0.4, 0.4], True, id="at its own start_step"),
        pytest.param([("<", "0.5")], [], False, id="nothing of it was reported"),
        pytest.param([(">", "0.5")], [math.nan], False, id="NaN"),
    ],
)
def test_a_limit_on_another_metric_is_compared_with(house, plugin, limits, reported, stops):
    plugin.limits = [limit(">", "0.5"), *(limit(*one, metric="accuracy") for one in limits)]
    samples = [("accuracy", value, float(n), None) for n, value in enumerate(reported)]
    house.others = summarize_on({}, samples)
    found = house.judge(0.6)
    assert bool(found) is stops
    if stops:
        assert found[0].reason.endswith(
            "greater than 0.5 and the latest accuracy 0.4 is less than 0.5"
        )


def test_a_stop_says_why_and_the_plug_in_is_told(house, plugin):
    plugin.limits = [limit(">", "0.5")]
    (stop,) = house.judge(0.6)
    assert stop.reason == "mine: after 5 reports the best loss is 0.6, greater than 0.5"
    assert plugin.told == ["its-own"]


def test_it_is_asked_with_the_experiment_its_trials_and_where_metrics_are(house, plugin):
    house.log.finish(0, 0.25)
    house.judge(0.6)
    (request,) = plugin.asked
    assert request.experiment.spec.early_stopping.algorithm_name == "mine"
    assert request.db_manager_address == "unix:/metrics"
    assert [trial.status.condition for trial in request.trials] == [
        api_pb2.TrialStatus.SUCCEEDED,
        api_pb2.TrialStatus.RUNNING,
    ]


def test_it_is_asked_again_when_a_trial_has_succeeded_and_new_limits_hold_for_what_runs(
    house, plugin
):
    assert not house.judge(0.6)
    plugin.limits = [limit(">", "0.5")]
    house.now = 2.0
    assert not house.judge(0.6)
    house.log.finish(0, 0.25)
    house.now = 4.0
    assert house.judge(0.6)
    assert len(plugin.asked) == 2


@pytest.mark.parametrize(("seconds", "asked"), [(60, 2), (2 * 3600, 3)])
def test_an_experiment_that_reports_nothing_for_long_is_forgotten_for_others(
    house, plugin, seconds, asked
):
    house.judge(0.6)
    house.now += seconds
    house.judge(0.6, uid="another")
    house.judge(0.6)
    assert len(plugin.asked) == asked


@pytest.mark.parametrize(
    ("limits", "error", "said"),
    [
        ([limit(">", "much")], PluginBroken, "'much'"),
        ([limit(">", "nan")], PluginBroken, "a rule on loss whose value 'nan' is not a number"),
        ([api_pb2.EarlyStoppingRule(name="loss", value="1")], PluginBroken, "comparison"),
    ],
    ids=["no number", "NaN", "no comparison"],
)
def test_a_limit_that_cannot_be_judged_is_the_plug_ins_fault(house, plugin, limits, error, said):
    plugin.limits = limits
    with pytest.raises(error, match=said):
        house.judge(0.6)


def test_a_plug_in_that_fails_later_says_so_and_its_last_limits_hold(house, plugin):
    plugin.limits = [limit(">", "0.5")]
    house.judge(0.4)
    plugin.limits = [limit(">", "much")]
    house.log.finish(0, 0.25)
    house.now = 2.0
    with pytest.raises(PluginBroken, match="'much'"):
        house.judge(0.4)
    assert house.judge(0.6)


def test_a_plug_in_that_is_away_says_so():
    with pytest.raises(PluginUnavailable):
        House("127.0.0.1:1").judge(0.6)


@pytest.mark.parametrize(("patience", "faults"), [("2", []), ("3", ["patience must be 2"])])
def test_the_plug_in_says_what_is_wrong_with_the_settings(house, patience, faults):
    rule = StoppingRule("mine", {"patience": patience}, house.rule.endpoint)
    assert [fault.message for fault in validate_at_plugin(rule, timeout=10)] == faults
