"""The contract of algorithms, kept by the searches of architectures in every form."""

import asyncio

import pytest
from tunewright.api.history import SearchState
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Architecture, Operation, Problem
from tunewright.api.space import Parameter, ParameterKind, SearchSpace
from tunewright.suggestion.algorithms.nas.genotype import Genotypes
from tunewright.suggestion.plugin.probe import Trials, asking, nothing, search
from tunewright.suggestion.plugin.subject import AtAddress, InProcess
from tunewright.suggestion.service import start_service

SEARCHES = ["enas", "nas-evolution", "nas-random"]


def graph(layers):
    units = Parameter("units", ParameterKind.CATEGORICAL, choices=("8", "16"))
    return Architecture(layers, (64,), (10,), (Operation("dense", SearchSpace((units,))),))


def problem(algorithm, layers=4, uid="whole"):
    objective = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
    settings = {"random_state": "5"} if algorithm != "darts" else {}
    if algorithm == "enas":
        settings["controller_hidden_size"] = "8"
    return Problem(
        f"nas-{uid}",
        f"{algorithm}-{uid}",
        SearchSpace(()),
        objective,
        algorithm,
        settings,
        architecture=graph(layers),
    )


@pytest.fixture(scope="module")
def address():
    server, address = start_service("127.0.0.1:0")
    yield address
    server.stop(0).wait()


@pytest.fixture(params=["in process", "tunewright.v1", "api.v1.beta1"])
def subject(request, address):
    if request.param == "in process":
        return InProcess()
    return AtAddress(address, speaks_v1=request.param == "tunewright.v1")


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_begun_anew_before_every_call_it_goes_the_same_way(subject, algorithm):
    whole = asyncio.run(search(subject, problem(algorithm), 9, nothing))
    anew = asyncio.run(search(subject, problem(algorithm), 9, nothing, forgetful=True))
    assert len(whole.points) == 18
    assert whole.points == anew.points


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_its_points_are_networks_of_the_graph_and_none_comes_twice(subject, algorithm):
    found = asyncio.run(search(subject, problem(algorithm, uid="twice"), 6, nothing))
    genotypes = [Genotypes(graph(4)).read(point) for point in found.points]
    assert None not in genotypes
    assert len(set(genotypes)) == 12


@pytest.mark.parametrize("speaks_v1", [True, False])
def test_darts_answers_over_either_wire(address, speaks_v1):
    subject, task, trials = AtAddress(address, speaks_v1=speaks_v1), problem("darts"), Trials()

    async def asked():
        async with asking(subject, trials) as suggester:
            return await suggester.suggest(task, 0, 1, position=0)

    (proposal,) = asyncio.run(asked()).proposals
    assert proposal.point["search-space"] == "['dense_8x8', 'dense_16x16']"


@pytest.mark.parametrize("algorithm", SEARCHES)
def test_a_graph_of_few_networks_is_exhausted_which_katibs_protocol_cannot_say(address, algorithm):
    subject, trials = AtAddress(address, speaks_v1=True), Trials()
    task = problem(algorithm, layers=2, uid="few")

    async def asked():
        async with asking(subject, trials) as suggester:
            first = await suggester.suggest(task, 0, 100, position=0)
            trials.propose(first.proposals)
            return first, await suggester.suggest(task, 8, 1, position=len(trials.entries))

    first, last = asyncio.run(asked())
    assert len(first.proposals) == Genotypes(graph(2)).cardinality == 8
    assert (last.proposals, last.state) == ((), SearchState.EXHAUSTED)
