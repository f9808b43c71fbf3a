"""Architecture search: what is answered in Katib's form, and that what is learned pays."""

import json
import random
import statistics
from decimal import Decimal

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from tunewright.api.errors import Invalid
from tunewright.api.history import Dropped, Finished, Proposed, SearchState, Verdict
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Architecture, Operation, Problem
from tunewright.api.space import Parameter, ParameterKind, SearchSpace
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.nas import tape
from tunewright.suggestion.algorithms.nas.controller import Controller, ControllerSettings
from tunewright.suggestion.algorithms.nas.genotype import Genotypes

NETWORKS = ["enas", "nas-evolution", "nas-random"]


def listed(name, *choices):
    return Parameter(name, ParameterKind.CATEGORICAL, choices=choices)


def operation(kind, *parameters):
    return Operation(kind, SearchSpace(parameters))


GRAPH = Architecture(
    layers=4,
    input_sizes=(32, 32, 3),
    output_sizes=(10,),
    operations=(
        operation("convolution", listed("filter_size", "3", "5"), listed("num_filter", "32", "64")),
        operation(
            "reduction",
            listed("reduction_type", "max_pooling"),
            Parameter("pool_size", ParameterKind.INT, Decimal(2), Decimal(3), Decimal(1)),
        ),
    ),
)
TINY = Architecture(2, (4,), (2,), (operation("dense", listed("units", "8", "16")),))
WIDE = Parameter("size", ParameterKind.INT, Decimal(0), Decimal(3_000_000_000))
QUICK = {
    "controller_hidden_size": "8",
    "controller_learning_rate": "0.02",
    "controller_skip_weight": "None",
}


def problem(algorithm, graph=GRAPH, seed=3, **settings):
    given = {**QUICK, **settings} if algorithm == "enas" else settings
    return Problem(
        "nas",
        f"nas-{seed}",
        SearchSpace(()),
        Objective(Metric("accuracy", Strategy.MAX), Direction.MAXIMIZE),
        algorithm,
        given,
        seed,
        architecture=graph,
    )


TARGET = Genotypes(GRAPH).random(random.Random(1234))


def likeness(genotype):
    """Count what an architecture has in common with the best one."""
    return float(
        sum(
            a == b
            for mine, best in zip(genotype, TARGET, strict=True)
            for a, b in zip(mine, best, strict=True)
        )
    )


def log_of(asked, trials, reward=likeness):
    """Search one by one; return the log."""
    fold, genotypes = registry.start(asked), Genotypes(asked.architecture)
    entries = []
    for index in range(trials):
        (proposal,) = fold.suggest(index, 1).proposals
        entries.append(Proposed(len(entries) + 1, index, proposal, len(entries)))
        value = reward(genotypes.read(proposal.point))
        entries.append(
            Finished(len(entries) + 1, index, TrialState.SUCCEEDED, Verdict.OBSERVED, value)
        )
        for entry in entries[-2:]:
            fold.observe(entry)
    return entries


def rewards(entries):
    return [entry.value for entry in entries if isinstance(entry, Finished)]


# What is answered.


def test_operations_are_numbered_over_all_values_of_their_parameters():
    found = [
        (each["opt_id"], each["opt_type"], each["opt_params"])
        for each in Genotypes(GRAPH).operations
    ]
    assert found == [
        (0, "convolution", {"filter_size": "3", "num_filter": "32"}),
        (1, "convolution", {"filter_size": "3", "num_filter": "64"}),
        (2, "convolution", {"filter_size": "5", "num_filter": "32"}),
        (3, "convolution", {"filter_size": "5", "num_filter": "64"}),
        (4, "reduction", {"reduction_type": "max_pooling", "pool_size": 2}),
        (5, "reduction", {"reduction_type": "max_pooling", "pool_size": 3}),
    ]


def test_an_architecture_is_written_as_katib_writes_it():
    point = Genotypes(TINY).point(((1,), (0, 1)))
    assert point == {
        "architecture": "[[1], [0, 1]]",
        "nn_config": (
            "{'num_layers': 2, 'input_sizes': [4], 'output_sizes': [2], 'embedding': "
            "{'0': {'opt_id': 0, 'opt_type': 'dense', 'opt_params': {'units': '8'}}, "
            "'1': {'opt_id': 1, 'opt_type': 'dense', 'opt_params': {'units': '16'}}}}"
        ),
    }
    assert Genotypes(TINY).read(point) == ((1,), (0, 1))


def test_darts_describes_its_search_as_katib_does_and_as_often_as_it_is_asked():
    graph = Architecture(
        3,
        (),
        (),
        (
            operation("separable_convolution", listed("filter_size", "3", "5")),
            operation("max_pooling", listed("filter_size", "3")),
            operation("skip_connection"),
        ),
    )
    fold = registry.start(problem("darts", graph, num_epochs="1"))
    first, second = fold.suggest(0, 1).proposals[0], fold.suggest(1, 1).proposals[0]
    assert first.point == second.point
    settings = json.loads(first.point["algorithm-settings"].replace("'", '"'))
    assert (settings["num_epochs"], settings["w_lr"], settings["num_nodes"]) == ("1", 0.025, 4)
    assert first.point["search-space"] == (
        "['separable_convolution_3x3', 'separable_convolution_5x5', 'max_pooling_3x3', "
        "'skip_connection']"
    )
    assert first.point["num-layers"] == "3"


def test_darts_hands_the_trial_settings_that_it_does_not_know_and_nothing_for_none():
    fold = registry.start(problem("darts", use_synthetic_data="true", batch_size="None"))
    (answer,) = fold.suggest(0, 1).proposals
    settings = json.loads(answer.point["algorithm-settings"].replace("'", '"'))
    assert settings["use_synthetic_data"] == "true"
    assert settings["batch_size"] is None


@pytest.mark.parametrize(
    ("algorithm", "graph", "settings", "message"),
    [
        ("enas", Architecture(4, (), (10,), GRAPH.operations), {}, "Missing InputSizes in Graph"),
        ("enas", Architecture(4, (3,), (), GRAPH.operations), {}, "Missing OutputSizes in Graph"),
        ("enas", Architecture(None, (3,), (10,), GRAPH.operations), {}, "Missing NumLayers in Gra"),
        (
            "enas",
            Architecture(4, (3,), (10,), (operation("conv"),)),
            {},
            "Missing ParameterConfigs in Operation:",
        ),
        (
            "enas",
            GRAPH,
            {"controller_learning_rate": "2"},
            "Algorithm Setting controller_learning_rate: 2 with float type must be in range (0, 1]",
        ),
        (
            "enas",
            GRAPH,
            {"controller_hidden_size": "0"},
            "Algorithm Setting controller_hidden_size: 0 with int type must be in range [1, inf)",
        ),
        (
            "darts",
            Architecture(4, (), (), (operation("separable_convolution"),)),
            {},
            "Missing ParameterConfigs in Operation:",
        ),
        (
            "darts",
            Architecture(4, (), (), (operation("pooling", WIDE),)),
            {},
            "with all values of their parameters, they are more than 10000",
        ),
        (
            "enas",
            Architecture(4, (3,), (10,), (operation("it's", WIDE),)),
            {},
            'a trial cannot be told of "it\'s"',
        ),
        (
            "nas-random",
            Architecture(4, (3,), (10,), (operation("conv", listed("size", '5"')),)),
            {},
            "a trial cannot be told of '5\"'",
        ),
        (
            "enas",
            Architecture(1_000_000, (3,), (10,), GRAPH.operations),
            {},
            "1000000 layers are more than 1000",
        ),
        ("darts", GRAPH, {"num_epochs": "0"}, "num_epochs should be greater than zero"),
        ("darts", GRAPH, {"w_lr": "-1"}, "w_lr should be greater than or equal to zero"),
        ("darts", GRAPH, {"batch_size": "0"}, "batch_size should be greater than or equal to one"),
        ("darts", GRAPH, {"num_nodes": "0"}, "num_nodes should be greater than or equal to one"),
        ("tpe", GRAPH, {}, "the algorithm tpe does not search architectures"),
    ],
)
def test_what_is_wrong_is_told_in_katib_s_words(algorithm, graph, settings, message):
    with pytest.raises(Invalid) as caught:
        registry.start(problem(algorithm, graph, **settings))
    assert caught.value.faults[0].message.startswith(message)


# What every search of architectures keeps.


@pytest.mark.parametrize("algorithm", NETWORKS)
def test_made_anew_from_the_log_a_search_answers_the_same(algorithm):
    entries = log_of(problem(algorithm), 24)
    for cut in (1, 17, 48):
        fold = registry.start(problem(algorithm))
        for entry in entries[:cut]:
            fold.observe(entry)
        proposed = sum(isinstance(entry, Proposed) for entry in entries[:cut])
        again = fold.suggest(proposed, 2)
        assert again == fold.suggest(proposed, 2), "an answer changes nothing"
        if cut < 48:
            later = [entry for entry in entries[cut:] if isinstance(entry, Proposed)]
            assert cut % 2 or again.proposals[0] == later[0].proposal


@pytest.mark.parametrize("algorithm", NETWORKS)
def test_every_architecture_of_a_small_graph_comes_once_and_then_no_more(algorithm):
    size = Genotypes(TINY).cardinality
    asked = problem(algorithm, TINY)
    entries = log_of(asked, size, reward=lambda genotype: float(genotype[0][0]))
    points = [e.proposal.point["architecture"] for e in entries if isinstance(e, Proposed)]
    assert len(set(points)) == size == 8
    fold = registry.start(asked)
    for entry in entries:
        fold.observe(entry)
    assert fold.suggest(size, 1).state is SearchState.EXHAUSTED
    fold.observe(Dropped(len(entries) + 1, 3))
    assert fold.suggest(size, 1).proposals[0].point["architecture"] == points[3]


@pytest.mark.parametrize("algorithm", NETWORKS)
def test_what_a_dropped_trial_came_to_is_unlearnt(algorithm):
    entries = log_of(problem(algorithm), 24)
    last = max(entry.index for entry in entries)
    with_it, without = registry.start(problem(algorithm)), registry.start(problem(algorithm))
    for entry in entries:
        with_it.observe(entry)
        if entry.index != last:
            without.observe(entry)
    with_it.observe(Dropped(len(entries) + 1, last))
    assert with_it.suggest(100, 4) == without.suggest(100, 4)


@pytest.mark.parametrize("algorithm", NETWORKS)
def test_a_batch_is_diverse_and_failures_are_borne(algorithm):
    fold = registry.start(problem(algorithm))
    proposals = fold.suggest(0, 40).proposals
    assert len({each.point["architecture"] for each in proposals}) == 40
    for index, proposal in enumerate(proposals):
        fold.observe(Proposed(index + 1, index, proposal, 0))
    fold.observe(Finished(41, 0, TrialState.FAILED, Verdict.BAD, None))
    fold.observe(Finished(42, 1, TrialState.SUCCEEDED, Verdict.BAD, float("nan")))
    fold.observe(Finished(43, 2, TrialState.SUCCEEDED, Verdict.OBSERVED, float("-inf")))
    assert len(fold.suggest(40, 3).proposals) == 3


# That it learns.


def late_rewards(algorithm, *, shuffled=False):
    """Return what the second half of each of some searches came to, in the mean."""
    found = []
    for seed in range(7):
        chance = random.Random(seed)
        told = (lambda _genotype, draw=chance.random: draw()) if shuffled else likeness
        entries = log_of(problem(algorithm, seed=seed), 50, told)
        genotypes = Genotypes(GRAPH)
        seen = [
            likeness(genotypes.read(entry.proposal.point))
            for entry in entries
            if isinstance(entry, Proposed)
        ]
        found.append(statistics.fmean(seen[25:]))
    return found


@pytest.fixture(scope="module")
def by_chance():
    return late_rewards("nas-random")


@pytest.mark.parametrize("algorithm", ["enas", "nas-evolution"])
def test_it_beats_chance_over_seven_seeds_and_not_when_the_reward_is_shuffled(algorithm, by_chance):
    def p(found):
        return mannwhitneyu(found, by_chance, alternative="greater").pvalue

    assert p(late_rewards(algorithm)) < 0.01
    assert p(late_rewards(algorithm, shuffled=True)) > 0.01


def test_the_gradients_of_the_tape_are_those_of_finite_differences():
    chance = np.random.default_rng(1)
    weights = {"a": chance.normal(size=(3, 4)), "b": chance.normal(size=(4, 3))}
    numbers = np.array([2, 0, 2])

    def value(given):
        a, b = tape.Var(given["a"]), tape.Var(given["b"])
        hidden = tape.tanh(tape.rows(a, numbers) @ b) * tape.sigmoid(tape.columns(a, 1, 4))
        logs = tape.log_softmax(hidden)
        found = tape.picked(logs, numbers) + tape.total(tape.exp(logs) * logs)
        return tape.mean(found * tape.log_sigmoid(tape.columns(hidden, 0, 1))), a, b

    loss, a, b = value(weights)
    loss.backward()
    for name, node in (("a", a), ("b", b)):
        for place in np.ndindex(weights[name].shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = {key: each.copy() for key, each in weights.items()}
                moved[name][place] += step
                ends.append(float(value(moved)[0].value))
            assert node.grad[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_the_controller_comes_to_prefer_what_is_rewarded():
    genotypes = Genotypes(TINY)
    controller = Controller(genotypes, ControllerSettings(hidden_size=8, learning_rate=0.05), 1)
    good, bad = ((1,), (1, 0)), ((0,), (0, 1))
    for _ in range(60):
        controller.learn([good, bad], np.array([1.0, -1.0]))
    drawn = [controller.sample(seed) for seed in range(40)]
    assert sum(each[0] == (1,) for each in drawn) > 30
