"""The EarlyStopping service of tunewright.v1: what it is sent, what it loses, and is sent again."""

import grpc
import pytest
from support.at_once import AtOnce
from tunewright.api.errors import PluginUnavailable
from tunewright.api.stopping import StoppingRule
from tunewright.proto import serving, tunewright_pb2, tunewright_pb2_grpc
from tunewright.suggestion.early_stopping.remote import RemoteStopping
from tunewright.suggestion.early_stopping.served import EarlyStoppingService
from tunewright.suggestion.early_stopping.stubs import Stubs
from tunewright.suggestion.plugin.stopping_story import MINIMIZE, MemoryLog, progress


class Service(EarlyStoppingService):
    """Ours; it keeps what it was asked, and forgets everything when it is told to."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forget(self):
        super().__init__()

    def Judge(self, request, context):  # noqa: N802
        self.asked.append(request)
        return super().Judge(request, context)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def server(service):
    def register(server):
        tunewright_pb2_grpc.add_EarlyStoppingServicer_to_server(service, server)

    server, address = serving.start("127.0.0.1:0", register)
    yield server, address
    server.stop(0).wait()


class House:
    """A store's side: a log in memory, and an evaluator of a rule at an address."""

    def __init__(self, address, rule="medianstop", **settings):
        self.log = MemoryLog()
        self.rule = StoppingRule(rule, {k: str(v) for k, v in settings.items()}, address)
        self.stubs = Stubs()
        self.now = 0.0
        self.evaluator = RemoteStopping(self.stubs, lambda: self.now, AtOnce(), timeout=10)

    def ended(self, index, *values):
        self.log.values[index] = [*values]
        self.log.end(index)

    def report(self, index, value):
        seen = self.log.values.setdefault(index, [])
        seen.append(value)
        report = progress(index, seen, MINIMIZE)
        found = self.evaluator.evaluate(self.log.uid, self.rule, MINIMIZE, [report], self.log)
        return [stop.reason for stop in found]


@pytest.fixture
def house(server):
    _, address = server
    made = House(address, min_trials_required=2, start_step=2)
    for index, level in enumerate((1.0, 2.0, 3.0)):
        made.ended(index, level, level)
    yield made
    made.stubs.close()


def test_a_stop_comes_back_with_its_reason(house):
    assert house.report(9, 2.5) == []
    (reason,) = house.report(9, 2.4)
    assert reason == (
        "medianstop: after 2 reports the best quality is 2.4, above the median 2 of 3 "
        "succeeded trials"
    )


@pytest.mark.parametrize(("seconds", "first"), [(60, 2), (2 * 3600, 1)])
def test_an_experiment_that_reports_nothing_for_long_is_forgotten_for_others(
    house, server, service, seconds, first
):
    house.report(9, 1.5)
    house.now += seconds
    house.log, log = MemoryLog(), house.log
    house.report(0, 1.5)
    house.log = log
    house.report(9, 1.4)
    assert [each.first_report for each in service.asked[-1].running] == [first]


def test_each_curve_and_report_is_sent_once(house, service):
    house.report(9, 1.5)
    house.ended(3, 0.5)
    house.report(9, 1.4)
    first, second = service.asked
    assert [(each.index, dict(each.means)) for each in first.ended] == [
        (0, {1: 1.0, 2: 1.0}),
        (1, {1: 2.0, 2: 2.0}),
        (2, {1: 3.0, 2: 3.0}),
    ]
    assert [(each.index, dict(each.means)) for each in second.ended] == [(3, {1: 0.5})]
    assert [(each.first_report, [*each.means]) for each in first.running] == [(1, [1.5])]
    assert [(each.first_report, [*each.means]) for each in second.running] == [(2, [1.45])]


def test_a_service_that_forgot_is_sent_everything(house, service):
    house.report(9, 2.5)
    service.forget()
    assert house.report(9, 2.4) != []
    assert [(request.after, len(request.ended)) for request in service.asked] == [
        (0, 3),
        (3, 0),
        (0, 3),
    ]
    (curve,) = service.asked[-1].running
    assert (curve.first_report, [*curve.means]) == (1, [2.5, 2.45])


def test_what_a_service_missed_while_it_was_away_is_judged_when_it_is_back(server, service):
    server, address = server
    house = House("127.0.0.1:1", "threshold", bound=0.5)
    with pytest.raises(PluginUnavailable):
        house.report(0, 0.9)
    house.rule = StoppingRule("threshold", {"bound": "0.5"}, address)
    assert house.report(0, 0.1) == ["threshold: quality 0.9 at report 1 is above 0.5"]
    house.stubs.close()


def test_two_replicas_of_the_store_share_one_service(house, service):
    other = RemoteStopping(house.stubs, lambda: house.now, AtOnce(), timeout=10)
    mine = house.evaluator
    house.report(9, 1.5)
    for evaluator in (other, mine, other, mine):
        house.evaluator = evaluator
        house.report(9, 1.5)
    assert [request.after for request in service.asked] == [0, 0, 3, 3, 3]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (tunewright_pb2.JudgeRequest(after=4, position=9), "FAILED_PRECONDITION"),
        (tunewright_pb2.JudgeRequest(after=4, position=3), "INVALID_ARGUMENT"),
        (
            tunewright_pb2.JudgeRequest(
                running=[tunewright_pb2.RunningCurve(first_report=2, means=[1.0])]
            ),
            "FAILED_PRECONDITION",
        ),
        (
            tunewright_pb2.JudgeRequest(running=[tunewright_pb2.RunningCurve(means=[1.0])]),
            "INVALID_ARGUMENT",
        ),
        (
            tunewright_pb2.JudgeRequest(
                running=[
                    tunewright_pb2.RunningCurve(
                        first_report=1, means=[1.0], reports=[tunewright_pb2.Progress(report=2)]
                    )
                ]
            ),
            "INVALID_ARGUMENT",
        ),
    ],
)
def test_a_question_that_cannot_be_is_refused(server, request_, code):
    _, address = server
    request_.rule.name = "medianstop"
    with grpc.insecure_channel(address) as channel:
        stub = tunewright_pb2_grpc.EarlyStoppingStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Judge(request_, timeout=10)
    assert refused.value.code().name == code


def test_the_rules_are_described(server):
    _, address = server
    with grpc.insecure_channel(address) as channel:
        stub = tunewright_pb2_grpc.EarlyStoppingStub(channel)
        reply = stub.DescribeRules(tunewright_pb2.DescribeRulesRequest(), timeout=10)
    described = {rule.name: [setting.name for setting in rule.settings] for rule in reply.rules}
    assert described["plateau"] == ["patience", "min_delta", "start_step"]
