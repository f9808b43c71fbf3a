"""Parameters that are active only beside certain values of others, as algorithms search them."""

from statistics import median

import pytest
from support.search import Log, double, listed, problem, whole
from tunewright.api.history import Verdict
from tunewright.api.space import ParameterCondition, ParameterKind, SearchSpace
from tunewright.suggestion import registry

SPACE = SearchSpace(
    (
        double("depth", 0, 1),  # before the list that it depends on
        listed("model", "tree", "line", "net"),
        double("slope", 0, 1),
        double("rate", 0, 1),
        listed("kind", "wide", "deep"),
    ),
    (
        ParameterCondition("depth", "model", ("tree",)),
        ParameterCondition("slope", "model", ("line", "net")),
        ParameterCondition("kind", "model", ("net",)),
        ParameterCondition("rate", "kind", ("deep",)),
    ),
)
MODELS = ["auto", "gp", "tpe", "multivariate-tpe"]
SEARCH = [*MODELS, "nsga2"]


def loss(point):
    """The least loss, 0, is at a deep net; a tree is found sooner and not as good."""
    match point["model"]:
        case "tree":
            return 0.3 + (point["depth"] - 0.5) ** 2
        case "line":
            return 0.5 + (point["slope"] - 0.5) ** 2
        case _ if point["kind"] == "wide":
            return 0.4 + (point["slope"] - 0.5) ** 2
        case _:
            return ((point["slope"] - 0.8) ** 2 + (point["rate"] - 0.3) ** 2) / 3


def searched(algorithm, seed, trials=30):
    fold = registry.start(problem(space=SPACE, algorithm=algorithm, seed=seed))
    log, points = Log(), []
    for index in range(trials):
        seen = log.position
        log.propose(*fold.suggest(index, 1).proposals)
        points.append(log.entries[-1].proposal.point)
        log.finish(index, loss(points[-1]))
        for entry in log.after(seen):
            fold.observe(entry)
    return points


@pytest.mark.parametrize("algorithm", MODELS)
def test_it_finds_the_best_branch_and_in_it_better_points_than_chance(algorithm):
    found = median(min(map(loss, searched(algorithm, seed))) for seed in range(3))
    chance = median(min(map(loss, searched("random", seed))) for seed in range(3))
    assert found < chance < 0.1


@pytest.mark.parametrize("algorithm", [*SEARCH, "random", "sobol"])
def test_points_have_what_is_active_in_them_in_the_order_of_the_file(algorithm):
    names = list(SPACE.by_name)
    for point in searched(algorithm, 1):
        assert SPACE.contains(point)
        assert sorted(point, key=names.index) == list(point)


def test_every_branch_is_drawn_as_often_as_its_value():
    fold = registry.start(problem(space=SPACE, algorithm="random"))
    points = [each.point for each in fold.suggest(0, 3000).proposals]
    share = sum(point["model"] == "net" for point in points) / len(points)
    deep = sum(point.get("kind") == "deep" for point in points) / len(points)
    assert (share, deep) == (pytest.approx(1 / 3, abs=0.03), pytest.approx(1 / 6, abs=0.03))


def test_a_grid_has_each_combination_once_whatever_is_inactive():
    space = SearchSpace(
        (listed("a", "x", "y"), whole("b", 1, 3)), (ParameterCondition("b", "a", ("y",)),)
    )
    fold = registry.start(problem(space=space, algorithm="grid"))
    points = [dict(each.point) for each in fold.suggest(0, 9).proposals]
    assert points == [{"a": "x"}, *({"a": "y", "b": b} for b in (1, 2, 3))]


@pytest.mark.parametrize("algorithm", SEARCH)
def test_a_branch_in_which_everything_failed_keeps_the_others_open(algorithm):
    fold = registry.start(problem(space=SPACE, algorithm=algorithm))
    log = Log()
    for index in range(30):
        seen = log.position
        log.propose(*fold.suggest(index, 1).proposals)
        point = log.entries[-1].proposal.point
        if point["model"] == "net":
            log.finish(index, None, Verdict.BAD)
        else:
            log.finish(index, loss(point))
        for entry in log.after(seen):
            fold.observe(entry)
    models = [point.proposal.point["model"] for point in log.entries[30::2]]
    assert models.count("net") < len(models) / 2


@pytest.mark.parametrize("algorithm", ["cmaes", "bayesianoptimization", "pbt"])
def test_who_cannot_search_them_says_so_by_name(algorithm):
    settings = {"suggestion_trial_dir": "/c", "n_population": "5", "truncation_threshold": "0.4"}
    task = problem(
        space=SPACE, algorithm=algorithm, settings=settings if algorithm == "pbt" else {}
    )
    faults = [
        fault
        for fault in registry.validate_problem(task)
        if fault.path == "spec.parameterConditions"
    ]
    assert [f"algorithm {algorithm} does not support" in fault.message for fault in faults] == [
        True
    ]
    assert "use auto" in faults[0].remedy


@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
@pytest.mark.parametrize("resource", ["epochs", "budget"])
def test_a_resource_that_is_conditional_or_decides_is_refused(algorithm, resource):
    space = SearchSpace(
        (
            listed("budget", "1", "3", "9", kind=ParameterKind.DISCRETE),
            whole("epochs", 1, 9),
            double("x", 0, 1),
        ),
        (ParameterCondition("epochs", "budget", ("9",)),),
    )
    settings = {"r_l": "9", "resource_name": resource}
    (fault,) = registry.validate_problem(
        problem(space=space, algorithm=algorithm, settings=settings)
    )
    assert f"the resource {resource} occurs in spec.parameterConditions" in fault.message
