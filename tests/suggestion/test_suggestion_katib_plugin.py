"""A plug-in of Katib's that bears no restart, in a process of its own that is killed."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import pytest
from support.katib_plugin import counting
from support.search import Log, double, listed, problem, whole
from tunewright.api.errors import PluginBroken, PluginUnavailable
from tunewright.api.history import Proposal, SearchState
from tunewright.api.problem import Architecture, Operation
from tunewright.api.space import SearchSpace
from tunewright.proto import api_pb2, api_pb2_grpc, serving
from tunewright.suggestion.client import RemoteSuggester
from tunewright.suggestion.plugin.subject import AtAddress
from tunewright.suggestion.registry import validate_problem

TASK = problem(whole("n", 1, 99), algorithm="counting")


@pytest.fixture
def plugin():
    with counting() as running:
        yield running


@contextlib.asynccontextmanager
async def asking(address, log, task=TASK):
    """Give a function that asks for points and records them, as an engine does."""
    remote = RemoteSuggester(address, log.after, timeout=30)

    async def ask(count):
        answer = await remote.suggest(task, log.trials, count, position=log.position)
        log.propose(*answer.proposals)
        return answer

    yield ask
    await remote.close()


async def again(ask: Callable[[int], Awaitable[object]], count: int):
    """Ask as often as an engine would while the plug-in is away."""
    while True:
        with contextlib.suppress(PluginUnavailable):
            return await ask(count)


def points(answer):
    return [proposal.point["n"] for proposal in answer.proposals]


def test_it_goes_on_after_it_was_killed_without_its_past_and_says_what_it_forgot(plugin):
    async def run():
        log = Log()
        async with asking(plugin.address, log) as ask:
            first = await ask(3)
            log.finish(0, 1.0)
            second = await ask(1)
            plugin.kill()
            plugin.start()
            third = await again(ask, 2)
            log.finish(4, 1.0)
            return first, second, third, await ask(1)

    first, second, third, fourth = asyncio.run(run())
    assert [points(answer) for answer in (first, second)] == [[1, 2, 3], [4]]
    assert [points(answer) for answer in (third, fourth)] == [[5, 6], [7]]
    assert [answer.forgotten for answer in (first, second, third, fourth)] == [0, 0, 4, 0]
    assert "dropped" in third.note


def test_an_engine_that_starts_again_shows_it_no_trial_of_the_engine_before(plugin):
    async def run():
        log = Log()
        async with asking(plugin.address, log) as ask:
            await ask(2)
        log.finish(0, 1.0)
        async with asking(plugin.address, log) as ask:
            return await ask(2)

    answer = asyncio.run(run())
    assert (points(answer), answer.forgotten) == ([3, 4], 2)


def test_a_persons_points_are_not_shown_and_not_counted_as_forgotten(plugin):
    async def run():
        log = Log()
        log.propose(Proposal({"n": 1}, "initial"))
        log.finish(0, 1.0)
        async with asking(plugin.address, log) as ask:
            return await ask(2)

    answer = asyncio.run(run())
    assert (points(answer), answer.forgotten) == ([2, 3], 0)


CHOICE = problem(listed("o", "a", "b"))


class Answers(api_pb2_grpc.SuggestionServicer):
    """Gives the same assignments in turn, all under one name; notes what it is shown."""

    def __init__(self, name, values, labels=()):
        self._name = name
        self._values = itertools.cycle(values)
        self._labels = dict(labels)
        self.trials = []
        self.shown = []

    def GetSuggestions(self, request, context):  # noqa: N802
        self.trials = [(trial.name, dict(trial.spec.labels)) for trial in request.trials]
        self.shown = [
            assignment.value
            for trial in request.trials
            for assignment in trial.spec.parameter_assignments.assignments
        ]
        reply = api_pb2.GetSuggestionsReply()
        for _ in range(request.current_request_number):
            one = reply.parameter_assignments.add(trial_name=self._name, labels=self._labels)
            one.assignments.add(name="o", value=next(self._values))
        return reply


@contextlib.contextmanager
def serving_answers(answers):
    def register(server):
        api_pb2_grpc.add_SuggestionServicer_to_server(answers, server)

    server, address = serving.start("127.0.0.1:0", register)
    try:
        yield address
    finally:
        server.stop(0).wait()


def answered(name, values, count=1, task=CHOICE):
    async def run(address):
        async with asking(address, Log(), task) as ask:
            return await ask(count)

    with serving_answers(Answers(name, values)) as address:
        return asyncio.run(run(address))


def test_it_is_shown_its_points_in_its_own_words_by_which_it_may_know_them_again():
    """Katib's service over optuna does: it fails on a trial that it finds by no such text."""

    async def run(address):
        log = Log()
        async with asking(address, log, problem(double("o", 0, 1, 0.1))) as ask:
            await ask(3)
            log.finish(0, 1.0)
            await ask(1)
        return [entry.proposal.point["o"] for entry in log.entries[:3]]

    said = ["0.30000000000000004", "1.0", "5e-1"]
    answers = Answers("", [*said, "0.7"])
    with serving_answers(answers) as address:
        assert asyncio.run(run(address)) == [0.3, 1.0, 0.5]
    assert answers.shown == said


def test_what_is_too_long_for_a_cluster_is_ours_and_the_plug_in_s_own_to_itself():
    """Katib's pbt names trials `<experiment>-<uuid>`, and their parents in labels."""
    name, labels = "e" * 40 + "-" + "0" * 36, {"generation": "1", "parent": "e" * 77}
    answers = Answers(name, ["a"], labels)

    async def run(address):
        log = Log()
        async with asking(address, log, CHOICE) as ask:
            answer = await ask(1)
            await ask(1)
        return answer

    with serving_answers(answers) as address:
        (proposal,) = asyncio.run(run(address)).proposals
    assert (proposal.name, proposal.labels) == (None, (("generation", "1"),))
    assert answers.trials == [(name, labels)]


@pytest.mark.parametrize(
    ("parameter", "said", "taken"),
    [
        pytest.param(double("o", 0, 1, 0.1), "0.14", 0.1, id="between two steps"),
        pytest.param(double("o", 0.1, 0.9), "1.3", 0.9, id="above the range"),
        pytest.param(double("o", 0.1, 0.9), "-1e300", 0.1, id="below it"),
        pytest.param(whole("o", 1, 9, 2), "4.4", 5, id="a fraction of an int"),
    ],
)
def test_a_number_beside_the_space_is_the_next_one_in_it_and_shown_so(parameter, said, taken):
    """Katib runs what its pbt, hyperopt and skopt answer, which leave ranges and steps."""
    answers = Answers("", [said])

    async def run(address):
        log = Log()
        async with asking(address, log, problem(parameter)) as ask:
            answer = await ask(1)
            await ask(1)
        return answer

    with serving_answers(answers) as address:
        answer = asyncio.run(run(address))
    assert [proposal.point for proposal in answer.proposals] == [{"o": taken}]
    assert answer.note == "moved 1 point from outside the search space into it"
    assert [float(value) for value in answers.shown] == [taken]


def test_an_examiner_of_plug_ins_sees_that_a_point_lies_beside_the_space():
    async def ask(address):
        subject = AtAddress(address)
        remote = subject.open(Log().after, stateless=False)
        try:
            await remote.suggest(problem(double("o", 0, 1)), 0, 1, position=0)
        finally:
            await remote.close()

    with serving_answers(Answers("", ["5"])) as address, pytest.raises(PluginBroken, match="5 is"):
        asyncio.run(ask(address))


def test_points_of_one_answer_that_are_alike_are_one_trial():
    answer = answered("", ["a"], count=4)
    assert [proposal.point for proposal in answer.proposals] == [{"o": "a"}]
    assert answer.state is SearchState.WAIT


def test_a_name_that_it_gives_twice_is_the_first_trials():
    answer = answered("mine", ["a", "b"], count=2)
    assert [proposal.name for proposal in answer.proposals] == ["mine", None]


@pytest.mark.parametrize(
    ("name", "value", "parameter"),
    [
        pytest.param("../up", "a", listed("o", "a"), id="no name of a trial"),
        pytest.param("", "c", listed("o", "a"), id="no such choice"),
        pytest.param("", "nan", double("o", 0, 1), id="no number"),
        pytest.param("", "inf", double("o", 0, 1), id="no end"),
    ],
)
def test_what_it_may_not_answer_is_refused(name, value, parameter):
    with pytest.raises(PluginBroken):
        answered(name, [value], task=problem(parameter))


def test_a_wrong_point_is_refused_with_the_name_of_the_parameter():
    with pytest.raises(PluginBroken, match="a wrong point: o: nan is not in"):
        answered("", ["nan"], task=problem(double("o", 0, 1)))


def test_what_it_says_of_an_architecture_reaches_the_trial_as_it_is():
    nas = Architecture(2, (3,), (10,), (Operation("skip", SearchSpace(())),))
    task = problem(architecture=nas, algorithm="enas")
    answer = answered("", ["[[3], [1, 0]]", "[[3], [1, 1]]"], count=2, task=task)
    assert [proposal.point["o"] for proposal in answer.proposals] == [
        "[[3], [1, 0]]",
        "[[3], [1, 1]]",
    ]


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_an_architecture_without_a_plug_in_is_refused_with_the_remedy(name):
    nas = Architecture(2, (3,), (10,), ())
    (fault,) = validate_problem(problem(architecture=nas, algorithm=name))
    assert fault.path == "spec.nasConfig"
    assert f"--algorithm {name}=ADDRESS" in fault.remedy
