import asyncio
import contextlib
import threading
from dataclasses import replace

import grpc
import pytest
from support.search import Log, double, listed, problem, whole
from tunewright.api.errors import Invalid, PluginBroken, PluginUnavailable
from tunewright.api.history import SearchState, Verdict
from tunewright.api.lineage import GENERATION
from tunewright.api.space import Distribution, ParameterKind, format_value
from tunewright.proto import (
    api_pb2,
    api_pb2_grpc,
    convert,
    convert_katib,
    health_pb2,
    health_pb2_grpc,
    serving,
    tunewright_pb2,
    tunewright_pb2_grpc,
)
from tunewright.suggestion.client import REPEATS, RemoteSuggester
from tunewright.suggestion.held import GREATEST
from tunewright.suggestion.plugin.subject import AtAddress
from tunewright.suggestion.service import start_service
from tunewright.suggestion.session import Session

SPACE = (
    double("lr", "1e-5", "0.1", distribution=Distribution.LOG_UNIFORM),
    whole("n", 1, 9),
    listed("batch", "16", "32", kind=ParameterKind.DISCRETE),
    listed("o", "sgd", "adam"),
)


@pytest.fixture(scope="module")
def address():
    server, address = start_service("127.0.0.1:0")
    yield address
    server.stop(0).wait()


@pytest.fixture
def channel(address):
    with grpc.insecure_channel(address) as channel:
        yield channel


def katib_request(task, log, count, total):
    return api_pb2.GetSuggestionsRequest(
        experiment=convert_katib.experiment_to_katib(task, {}),
        trials=convert_katib.trials_to_katib(task, log.entries, {}),
        current_request_number=count,
        total_request_number=total,
    )


def kept_by_katib(task, reply):
    """What Katib's controller tells of an answer later: points and names, and no labels."""
    points = (convert_katib.proposal_from_katib(task, each) for each in reply.parameter_assignments)
    return [replace(point, labels=()) for point in points]


def pb_entry(position, **kind):
    return tunewright_pb2.Entry(position=position, **kind)


def ended(log):
    """Trials of which one succeeded, one failed, one was killed, and one runs."""
    log.finish(0, 1.0)
    log.finish(1, None, Verdict.BAD)
    log.finish(2, None, Verdict.NOTHING)


@pytest.mark.parametrize("algorithm", ["random", "sobol", "tpe", "cmaes"])
def test_over_tunewright_v1_the_points_are_those_of_the_process_itself(address, algorithm):
    async def run():
        task, log = problem(*SPACE, algorithm=algorithm, uid=algorithm), Log()
        remote, here = RemoteSuggester(address, log.after), Session(task)
        for _ in range(4):
            answer = await remote.suggest(task, log.trials, 4, position=log.position)
            here.observe(log.entries)
            assert answer == here.suggest(log.trials, 4)
            first = log.trials
            log.propose(*answer.proposals)
            for k in range(3):
                log.finish(first + k, float(k))
        await remote.close()

    asyncio.run(run())


@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
def test_katibs_controller_gets_past_every_rung_nine_at_a_time(channel, algorithm):
    """Every answer has as many points as it asked for, beyond the end of the last bracket."""
    settings = {"resource_name": "n", "r_l": "9", "eta": "3"}
    task, log, given = problem(*SPACE, algorithm=algorithm, settings=settings), Log(), []
    stub = api_pb2_grpc.SuggestionStub(channel)
    while log.trials < 36:
        reply = stub.GetSuggestions(katib_request(task, log, 9, log.trials + 9))
        assert len(reply.parameter_assignments) == 9
        first = log.trials
        kept = kept_by_katib(task, reply)
        log.propose(*kept)
        given += [proposal.point["n"] for proposal in kept]
        for index in range(first, log.trials):
            log.finish(index, float(index))
    assert set(given) == {1, 3, 9}


def test_katibs_controller_gets_as_many_of_a_population_as_it_asked_for(channel):
    """Three side by side of five members: what ends is replaced at once, past every generation."""
    settings = {"suggestion_trial_dir": "/c", "n_population": "5", "truncation_threshold": "0.2"}
    task, log = problem(*SPACE, algorithm="pbt", settings=settings), Log()
    stub, asked, generations = api_pb2_grpc.SuggestionStub(channel), 0, []
    for count in (3, 3, 1, 2, 3, 3, 1, 3):
        reply = stub.GetSuggestions(katib_request(task, log, count, log.trials + count))
        assert len(reply.parameter_assignments) == count
        log.propose(*kept_by_katib(task, reply))
        generations += [each.labels[GENERATION] for each in reply.parameter_assignments]
        asked += count
        for index in range(asked - count, asked):
            log.finish(index, float(index))
    assert generations[:5] == ["0"] * 5
    assert set(generations) == {"0", "1", "2", "3"}


def test_a_service_that_was_restarted_is_sent_the_whole_log():
    async def run():
        task, log = problem(*SPACE, algorithm="random"), Log()
        server, address = start_service("127.0.0.1:0")
        remote = RemoteSuggester(address, log.after)
        log.propose(*(await remote.suggest(task, 0, 3, position=0)).proposals)
        before = await remote.suggest(task, 3, 2, position=3)
        server.stop(0).wait()
        with pytest.raises(PluginUnavailable):
            await remote.suggest(task, 3, 2, position=3)
        again, _ = start_service(address)
        with contextlib.suppress(PluginUnavailable):  # the connection waits before it tries again
            await remote.suggest(task, 3, 2, position=3)
        await remote.close()
        fresh = RemoteSuggester(address, log.after)
        fresh._position, fresh._speaks_v1 = 3, True
        after = await fresh.suggest(task, 3, 2, position=3)
        await fresh.close()
        again.stop(0).wait()
        return before, after

    before, after = asyncio.run(run())
    assert before == after


def test_more_experiments_than_are_held_take_turns(address):
    async def run():
        logs = {f"many-{n}": Log() for n in range(GREATEST + 4)}
        for _ in range(2):
            for uid, log in logs.items():
                task = problem(*SPACE, algorithm="random", uid=uid)
                remote, here = RemoteSuggester(address, log.after), Session(task)
                here.observe(log.entries)
                answer = await remote.suggest(task, log.trials, 1, position=log.position)
                assert answer == here.suggest(log.trials, 1)
                log.propose(*answer.proposals)
                await remote.close()

    asyncio.run(run())


def test_many_experiments_are_answered_at_once(address):
    async def ask(number):
        task = problem(*SPACE, algorithm="tpe", uid=f"at-once-{number}", seed=number)
        remote = RemoteSuggester(address, Log().after)
        answer = await remote.suggest(task, 0, 2, position=0)
        await remote.close()
        return answer, Session(task).suggest(0, 2)

    async def ask_all():
        return await asyncio.gather(*map(ask, range(40)))

    for answer, expected in asyncio.run(ask_all()):
        assert answer == expected


def test_katibs_controller_gets_exactly_what_it_asks_for(channel):
    task, log = problem(*SPACE, algorithm="tpe"), Log()
    stub = api_pb2_grpc.SuggestionStub(channel)
    reply = stub.GetSuggestions(katib_request(task, log, 4, 4))
    assert len(reply.parameter_assignments) == 4
    log.propose(*(convert_katib.proposal_from_katib(task, p) for p in reply.parameter_assignments))
    ended(log)
    again = stub.GetSuggestions(katib_request(task, log, 2, 6))
    assert again == stub.GetSuggestions(katib_request(task, log, 2, 6))
    assert len(again.parameter_assignments) == 2


def test_nobody_holds_the_others_up_by_asking_for_millions(channel):
    katib = api_pb2_grpc.SuggestionStub(channel)
    task = problem(double("x", 0, 1), algorithm="random")
    with pytest.raises(grpc.RpcError) as caught:
        katib.GetSuggestions(katib_request(task, Log(), 2**31 - 1, 2**31 - 1), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "2147483647 points are more than 1000," in caught.value.details()
    wire = convert.problem_to_wire(task)
    request = tunewright_pb2.SuggestRequest(problem=wire, count=2**31 - 1)
    reply = tunewright_pb2_grpc.SuggestionStub(channel).Suggest(request, timeout=10)
    assert len(reply.proposals) == 1_000


def test_a_caller_who_counts_no_earlier_points_gets_those_of_a_service_begun_anew(channel):
    task = problem(*SPACE, algorithm="tpe", uid="uncounted")
    log, stub = Log(), api_pb2_grpc.SuggestionStub(channel)
    log.propose(*Session(task).suggest(0, 11).proposals)
    stub.GetSuggestions(katib_request(task, log, 2, 2))
    for index in range(11):
        log.finish(index, float(index))
    request = katib_request(task, log, 2, 2)
    searched = convert_katib.problem_from_katib(request.experiment)
    anew = Session(searched)
    anew.observe(convert_katib.log_from_katib(searched, request.trials))
    expected = convert_katib.proposals_to_katib(anew.suggest(11, 2).proposals)
    assert stub.GetSuggestions(request) == expected


def test_what_algorithms_honour_is_described(channel):
    stub = tunewright_pb2_grpc.SuggestionStub(channel)
    reply = stub.Describe(tunewright_pb2.DescribeRequest(), timeout=10)
    can = {each.name: each.capabilities for each in reply.algorithms}
    assert can["nsga2"].objectives
    assert not can["pbt"].objectives
    assert can["pbt"].repeats
    assert [*can["grid"].kinds] == [
        tunewright_pb2.DOUBLE,
        tunewright_pb2.INT,
        tunewright_pb2.DISCRETE,
        tunewright_pb2.CATEGORICAL,
    ]
    assert can["enas"].architecture


@pytest.mark.parametrize(("algorithm", "repeats"), [("pbt", True), ("tpe", False), ("no", False)])
def test_an_examiner_asks_the_service_whether_it_repeats_points(address, algorithm, repeats):
    assert bool(asyncio.run(AtAddress(address).repeats(algorithm))) is repeats


def test_an_exhausted_search_is_out_of_range_for_katib(channel):
    task = problem(whole("n", 1, 3), algorithm="grid")
    with pytest.raises(grpc.RpcError) as caught:
        api_pb2_grpc.SuggestionStub(channel).GetSuggestions(katib_request(task, Log(), 4, 4))
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


def test_wrong_settings_are_an_invalid_argument_in_katibs_words(channel):
    task = problem(*SPACE, algorithm="tpe", settings={"gamma": "2", "gama": "1"})
    request = api_pb2.ValidateAlgorithmSettingsRequest(
        experiment=convert_katib.experiment_to_katib(task, {})
    )
    with pytest.raises(grpc.RpcError) as caught:
        api_pb2_grpc.SuggestionStub(channel).ValidateAlgorithmSettings(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().splitlines() == [
        "gamma should be in the range of (0, 1)",
        "unknown setting gama for algorithm tpe",
    ]


MALFORMED = {
    "no verdict": pb_entry(1, finished=tunewright_pb2.Finished(state="Succeeded", verdict=9)),
    "no state": pb_entry(1, finished=tunewright_pb2.Finished(state="Nope")),
    "a gap before it": pb_entry(5, dropped=tunewright_pb2.Dropped(index=0)),
    "a point of no space": pb_entry(1, proposed=tunewright_pb2.Proposed(index=0)),
}


@pytest.mark.parametrize("entry", MALFORMED.values(), ids=MALFORMED)
def test_an_entry_that_no_log_has_is_an_invalid_argument(channel, entry):
    wire = convert.problem_to_wire(problem(*SPACE, algorithm="random"))
    request = tunewright_pb2.SuggestRequest(problem=wire, entries=[entry], count=1)
    with pytest.raises(grpc.RpcError) as caught:
        tunewright_pb2_grpc.SuggestionStub(channel).Suggest(request, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"entries[{entry.position}]" in caught.value.details()


def test_a_number_that_the_wire_cannot_carry_is_said_to_be_one(channel):
    wire = convert.problem_to_wire(problem(whole("n", 2**63, 2**64), algorithm="random"))
    request = tunewright_pb2.SuggestRequest(problem=wire, count=1)
    with pytest.raises(grpc.RpcError, match="of more than the 64 bits"):
        tunewright_pb2_grpc.SuggestionStub(channel).Suggest(request, timeout=10)


@pytest.mark.parametrize("name", ["manager.v1beta1.Suggestion", ""])
def test_probes_are_answered(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=name)
    assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(request)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


def test_a_crowd_that_waits_holds_up_no_probe_and_once_it_has_left_nobody(channel):
    health = health_pb2_grpc.HealthStub(channel)
    health.Check(health_pb2.HealthCheckRequest())
    ask = tunewright_pb2_grpc.SuggestionStub(channel).Suggest
    wide = problem(*(double(f"x{n}", 0, 1) for n in range(20)), algorithm="random")
    wire = convert.problem_to_wire(wide)
    request = tunewright_pb2.SuggestRequest(problem=wire, count=1_000)
    waiting = [ask.future(request) for _ in range(200)]
    health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    for each in waiting:
        each.cancel()
    wire.uid = "another"
    ask(tunewright_pb2.SuggestRequest(problem=wire, count=1), timeout=10)


def test_a_probe_of_another_service_is_not_found(channel):
    request = health_pb2.HealthCheckRequest(service="other")
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(request)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


class Katib(api_pb2_grpc.SuggestionServicer):
    """A plug-in that speaks Katib's API alone, and repeats itself."""

    def GetSuggestions(self, request, context):  # noqa: N802
        reply = api_pb2.GetSuggestionsReply()
        for n in range(min(request.current_request_number, 2)):
            one = reply.parameter_assignments.add(trial_name=f"mine-{n}")
            one.assignments.add(name="n", value=str(n + 1))
        return reply

    def ValidateAlgorithmSettings(self, request, context):  # noqa: N802
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
        context.set_details("no, thank you")
        return api_pb2.ValidateAlgorithmSettingsReply()


@pytest.fixture
def katib_plugin():
    running, address = serving.start(
        "127.0.0.1:0",
        lambda server: api_pb2_grpc.add_SuggestionServicer_to_server(Katib(), server),
    )
    yield address
    running.stop(0).wait()


def test_a_plug_in_of_katibs_is_driven_and_its_names_are_kept(katib_plugin):
    async def run():
        task, log = problem(whole("n", 1, 9), algorithm="mine"), Log()
        remote = RemoteSuggester(katib_plugin, log.after)
        first = await remote.suggest(task, 0, 2, position=0)
        log.propose(*first.proposals)
        short = await remote.suggest(task, 2, 2, position=2)
        log.finish(0, 1.0)
        log.finish(1, 2.0)
        over = await remote.suggest(task, 2, 2, position=4)
        faults = await remote.validate(task)
        await remote.close()
        return first, short, over, faults

    first, short, over, faults = asyncio.run(run())
    assert [p.name for p in first.proposals] == ["mine-0", "mine-1"]
    assert [p.point for p in first.proposals] == [{"n": 1}, {"n": 2}]
    assert (short.proposals, short.state) == ((), SearchState.WAIT)
    assert "dropped" in short.note
    assert over.state is SearchState.EXHAUSTED
    assert [fault.message for fault in faults] == ["no, thank you"]


ONE = tunewright_pb2.Value(whole=1)


class Naming(tunewright_pb2_grpc.SuggestionServicer):
    """A service of tunewright.v1 that calls a trial, or whom it goes on from, by some name."""

    def __init__(self, value, count=1, **names):
        self._value = value
        self._count = count
        self._names = names

    def Describe(self, request, context):  # noqa: N802
        return tunewright_pb2.DescribeReply()

    def Suggest(self, request, context):  # noqa: N802
        position = request.after + len(request.entries)
        reply = tunewright_pb2.SuggestReply(state=tunewright_pb2.MORE, position=position)
        for _ in range(self._count):
            reply.proposals.add(**self._names).point.add(name="n", value=self._value)
        return reply


def serving_to(register, ask):
    """Return what `ask` returns of the address of what is registered."""
    server, address = serving.start("127.0.0.1:0", register)
    try:
        return asyncio.run(ask(address))
    finally:
        server.stop(0).wait()


def asking(service, ask):
    def register(server):
        tunewright_pb2_grpc.add_SuggestionServicer_to_server(service, server)

    return serving_to(register, ask)


def named_by(value=ONE, **names):
    async def ask(address):
        remote = RemoteSuggester(address, Log().after)
        try:
            return await remote.suggest(problem(whole("n", 1, 9)), 0, 1, position=0)
        finally:
            await remote.close()

    return asking(Naming(value, **names), ask)


def test_a_service_names_its_trials_and_whom_they_go_on_from():
    (proposal,) = named_by(name="t-1.b", parent="t" * 63).proposals
    assert (proposal.name, proposal.parent) == ("t-1.b", "t" * 63)


def test_a_whole_number_that_a_service_sends_as_another_is_a_whole_one():
    """A program that takes whole numbers refuses `--n=2.0`."""
    (proposal,) = named_by(tunewright_pb2.Value(number=2)).proposals
    assert format_value(proposal.point["n"]) == "2"


def test_a_name_that_a_service_gives_twice_is_the_first_trials():
    """Two trials of one name would write to one folder, and on a cluster be one trial."""

    async def ask(address):
        task, log = problem(whole("n", 1, 9)), Log()
        remote = RemoteSuggester(address, log.after)
        for _ in range(2):
            answer = await remote.suggest(task, log.trials, 2, position=log.position)
            log.propose(*answer.proposals)
        await remote.close()
        return [entry.proposal.name for entry in log.entries]

    assert asking(Naming(ONE, 2, name="best"), ask) == ["best", None, None, None]


@pytest.mark.parametrize("place", ["name", "parent"])
@pytest.mark.parametrize("name", ["../up", "/etc", "..", "a/b", "a b", "A", "a\n", "t" * 64])
def test_a_name_that_would_be_a_path_or_none_on_a_cluster_is_refused(place, name):
    """It becomes a folder, which is written to and removed with its experiment."""
    with pytest.raises(PluginBroken, match="no name of a trial"):
        named_by(**{place: name})


@pytest.mark.parametrize(
    ("reason", "notes"), [("", ["", REPEATS]), ("to measure the noise", ["", ""])]
)
def test_points_that_a_service_repeats_without_a_reason_are_noted(reason, notes):
    async def ask(address):
        task, log, said = problem(whole("n", 1, 9)), Log(), []
        remote = RemoteSuggester(address, log.after)
        for _ in notes:
            answer = await remote.suggest(task, log.trials, 1, position=log.position)
            log.propose(*answer.proposals)
            said.append(answer.note)
        await remote.close()
        return said

    assert asking(Naming(ONE, reason=reason), ask) == notes


class Garbled(grpc.GenericRpcHandler):
    """Answers one method with bytes that are no text where the protocol has text."""

    def __init__(self, method, answer):
        self._method = method
        self._answer = answer

    def service(self, call):
        if call.method == self._method:
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._answer)
        return None


@pytest.mark.parametrize(
    ("method", "answer", "speaks_v1"),
    [
        ("/tunewright.v1.Suggestion/Suggest", b"\x1a\x01\xff", True),
        ("/api.v1.beta1.Suggestion/GetSuggestions", b"\x0a\x06\x12\x04\x0a\x01\xff\x00", False),
    ],
    ids=["tunewright.v1", "Katib's"],
)
def test_an_answer_that_is_no_message_is_the_services_fault(method, answer, speaks_v1):
    async def ask(address):
        remote = RemoteSuggester(address, Log().after, speaks_v1=speaks_v1)
        try:
            await remote.suggest(problem(whole("n", 1, 9)), 0, 1, position=0)
        finally:
            await remote.close()

    def register(server):
        server.add_generic_rpc_handlers((Garbled(method, answer),))

    with pytest.raises(PluginBroken, match="no message of its protocol"):
        serving_to(register, ask)


def test_a_service_that_is_away_says_so():
    async def run():
        remote = RemoteSuggester("127.0.0.1:1", Log().after, timeout=2)
        try:
            with pytest.raises(PluginUnavailable):
                await remote.suggest(problem(whole("n", 1, 9)), 0, 1, position=0)
        finally:
            await remote.close()

    asyncio.run(run())


class Silent(tunewright_pb2_grpc.SuggestionServicer):
    """A service that thinks until it is let go."""

    def __init__(self):
        self.over = threading.Event()

    def Suggest(self, request, context):  # noqa: N802
        self.over.wait()
        return tunewright_pb2.SuggestReply()


def test_a_service_that_takes_too_long_is_told_of_with_the_limit_and_how_to_raise_it():
    silent = Silent()

    async def ask(address):
        remote = RemoteSuggester(address, Log().after, timeout=0.2, speaks_v1=True)
        try:
            await remote.suggest(problem(whole("n", 1, 9)), 0, 1, position=0)
        finally:
            silent.over.set()
            await remote.close()

    said = r"no answer within 0.2 s \(spec.algorithm.timeoutSeconds allows more\)"
    with pytest.raises(PluginUnavailable, match=said):
        asking(silent, ask)


def test_an_algorithm_that_the_service_does_not_know_is_refused(address):
    async def run():
        remote = RemoteSuggester(address, Log().after)
        try:
            with pytest.raises(Invalid, match="unknown algorithm name tpee"):
                await remote.suggest(problem(*SPACE, algorithm="tpee"), 0, 1, position=0)
        finally:
            await remote.close()

    asyncio.run(run())
