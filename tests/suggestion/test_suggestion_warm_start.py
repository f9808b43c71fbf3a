"""From the best points of other experiments to the first of this one."""

import pytest
from support.search import double, listed, whole
from tunewright.api.space import Distribution, ParameterCondition, ParameterKind, SearchSpace
from tunewright.suggestion.warm_start import GREATEST, Source, beginnings, shared

X, Y = double("x", 0, 1), double("y", 0, 1)
OPT = listed("opt", "sgd", "adam")
SPACE = SearchSpace((X, Y))


def points(space, *sources, seed=3, max_trials=None):
    found = beginnings(space, sources, seed=seed, max_trials=max_trials)
    return [point for _, point in found]


def test_the_same_space_gives_the_best_points_as_they_are_the_best_first():
    best = [{"x": 0.1, "y": 0.2}, {"x": 0.5, "y": 0.2}, {"x": 0.9, "y": 0.9}]
    assert points(SPACE, Source("before", SPACE, best)) == best


def test_of_points_that_are_alike_the_best_is_taken():
    best = [{"x": 0.10, "y": 0.2}, {"x": 0.11, "y": 0.21}, {"x": 0.5, "y": 0.2}]
    assert points(SPACE, Source("before", SPACE, best)) == [best[0], best[2]]


def test_what_is_apart_is_judged_by_the_scale_of_the_parameter():
    space = SearchSpace((double("lr", 1e-6, 1, distribution=Distribution.LOG_UNIFORM),))
    best = [{"lr": 1e-5}, {"lr": 1e-3}]
    assert points(space, Source("before", space, best)) == best


@pytest.mark.parametrize(
    ("max_trials", "taken"), [(None, GREATEST), (1000, GREATEST), (16, 4), (3, 1), (1, 1)]
)
def test_points_of_other_experiments_take_a_quarter_of_the_budget_at_most(max_trials, taken):
    best = [{"x": k / 20, "y": (7 * k % 20) / 20} for k in range(20)]
    assert len(points(SPACE, Source("before", SPACE, best), max_trials=max_trials)) == taken


def test_sources_take_turns_so_that_one_that_misleads_leaves_room_to_the_others():
    misleads = Source("misleads", SPACE, [{"x": k / 8, "y": 0.9} for k in range(8)])
    leads = Source("leads", SPACE, [{"x": 0.5, "y": 0.1}, {"x": 0.9, "y": 0.1}])
    found = beginnings(SPACE, [misleads, leads], seed=3, max_trials=None)
    assert [source.name for source, _ in found[:4]] == ["misleads", "leads"] * 2
    assert len(found) == GREATEST


def test_a_source_without_a_good_trial_gives_nothing():
    assert points(SPACE, Source("before", SPACE, [])) == []


def test_a_parameter_that_the_source_lacks_is_drawn_and_the_same_again_for_the_same_seed():
    source = Source("before", SearchSpace((X,)), [{"x": 0.25}])
    (point,) = points(SPACE, source)
    assert point["x"] == 0.25
    assert SPACE.contains(point)
    assert points(SPACE, source) == [point]
    assert points(SPACE, source, seed=4) != [point]


def test_a_parameter_that_only_the_source_has_is_left_out():
    source = Source("before", SPACE, [{"x": 0.25, "y": 0.5}])
    assert points(SearchSpace((X,)), source) == [{"x": 0.25}]


@pytest.mark.parametrize(
    ("parameter", "theirs", "ours"),
    [
        pytest.param(double("p", 0, 1), 7.5, 1.0, id="beyond the end: the end"),
        pytest.param(double("p", 0, 1), 1, 1.0, id="a whole number for a double"),
        pytest.param(double("p", 0, 1, 0.25), 0.4, 0.5, id="between two steps: the nearer"),
        pytest.param(whole("p", 1, 9), 4.4, 4, id="a double for a whole number"),
        pytest.param(whole("p", 0, 2**60), 2**60 - 1, 2**60 - 1, id="more than a double holds"),
        pytest.param(whole("p", 1, 9), "8", 8, id="a discrete entry for a whole number"),
        pytest.param(
            listed("p", "16", "32", "64", kind=ParameterKind.DISCRETE), 30, "32", id="the nearest"
        ),
        pytest.param(listed("p", "3", "5"), 5, "5", id="a number for an entry"),
    ],
)
def test_a_value_of_another_kind_or_range_becomes_the_nearest(parameter, theirs, ours):
    source = Source("before", SearchSpace((parameter,)), [{"p": theirs}])
    (point,) = points(SearchSpace((parameter,)), source)
    assert point == {"p": ours}
    assert type(point["p"]) is type(ours)


@pytest.mark.parametrize("theirs", ["rmsprop", 0.5])
def test_a_value_that_cannot_be_here_is_drawn(theirs):
    source = Source("before", SearchSpace((OPT,)), [{"opt": theirs}])
    (point,) = points(SearchSpace((OPT,)), source)
    assert point["opt"] in OPT.choices


@pytest.mark.parametrize("parameter", [X, whole("x", 1, 9)], ids=["double", "int"])
@pytest.mark.parametrize("text", ["auto", "nan", "inf"])
def test_text_for_a_number_is_drawn(parameter, text):
    source = Source("before", SearchSpace((listed("x", text),)), [{"x": text}])
    (point,) = points(SearchSpace((parameter,)), source)
    assert SearchSpace((parameter,)).contains(point)


def test_a_point_has_the_parameters_that_are_active_here():
    space = SearchSpace(
        (OPT, double("momentum", 0, 1)), (ParameterCondition("momentum", "opt", ("sgd",)),)
    )
    source = Source("flat", SearchSpace((OPT,)), [{"opt": "adam"}, {"opt": "sgd"}])
    adam, sgd = points(space, source)
    assert adam == {"opt": "adam"}
    assert sgd.keys() == {"opt", "momentum"}


@pytest.mark.parametrize(
    ("theirs", "expected"), [(SPACE, True), (SearchSpace((Y, OPT)), True), (SearchSpace(()), False)]
)
def test_spaces_share_what_has_one_name(theirs, expected):
    assert shared(SPACE, theirs) is expected
