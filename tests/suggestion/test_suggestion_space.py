import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.search import double, listed, problem, whole
from tunewright.api.space import Distribution, ParameterCondition, ParameterKind, SearchSpace
from tunewright.suggestion.cube import Axis, Cube

D = Distribution

AXES = [
    pytest.param(double("x", -1, 2), id="a double"),
    pytest.param(double("x", 1e-5, 0.1, distribution=D.LOG_UNIFORM), id="a double by orders"),
    pytest.param(double("x", 1e-3, 1e3, distribution=D.LOG_UNIFORM), id="a double by six orders"),
    pytest.param(double("x", -3, 9, distribution=D.NORMAL), id="a double around its middle"),
    pytest.param(double("x", 0.001, 10, distribution=D.LOG_NORMAL), id="a log-normal double"),
    pytest.param(double("x", 0.1, 0.9, 0.1), id="a double in steps"),
    pytest.param(double("x", 0.1, 5, 0.5, D.LOG_UNIFORM), id="a double in steps, by orders"),
    pytest.param(double("x", -2, 2, 0.25, D.NORMAL), id="a double in steps, around its middle"),
    pytest.param(whole("x", -3, 17), id="an int"),
    pytest.param(whole("x", 1, 100, 7), id="an int in steps"),
    pytest.param(whole("x", 1, 512, distribution=D.LOG_UNIFORM), id="an int by orders"),
    pytest.param(whole("x", 0, 30, 3, D.NORMAL), id="an int in steps, around its middle"),
    pytest.param(whole("x", 1, 64, 9, D.LOG_NORMAL), id="a log-normal int in steps"),
    pytest.param(whole("x", 4, 4), id="an int of one value"),
    pytest.param(whole("x", 2**63 - 1, 2**63 + 1), id="ints that no double holds"),
    pytest.param(double("x", 0.5, 0.5), id="a double of one value"),
    pytest.param(listed("x", "sgd", "adam", "lion"), id="a list of words"),
    pytest.param(
        listed("x", "16", "4", "0.50", kind=ParameterKind.DISCRETE), id="a list of numbers"
    ),
]


@pytest.mark.parametrize("parameter", AXES)
class TestAnAxis:
    def test_gives_only_values_of_its_parameter(self, parameter):
        axis = Axis(parameter)
        for k in range(201):
            assert parameter.contains(axis.value(k / 200))

    def test_finds_the_way_back_from_every_value(self, parameter):
        axis = Axis(parameter)
        for k in range(201):
            value = axis.value(k / 200)
            again = axis.value(axis.unit(value))
            assert again == (pytest.approx(value) if axis.levels is None else value)

    def test_gives_the_very_ends_of_its_range_at_the_ends(self, parameter):
        axis = Axis(parameter)
        if axis.levels is None:
            ends = float(parameter.low), float(parameter.high)
            assert (axis.value(0), axis.value(1)) == ends

    def test_reaches_every_level(self, parameter):
        axis = Axis(parameter)
        if axis.levels is not None:
            reached = {axis.value(k / 5000) for k in range(5001)}
            assert reached == {axis.level(k) for k in range(axis.levels)}


def share(parameter, low, high):
    """How much of the draws falls into [low, high]."""
    axis = Axis(parameter)
    return sum(low <= axis.value((k + 0.5) / 10000) <= high for k in range(10000)) / 10000


@pytest.mark.parametrize(
    ("parameter", "low", "high", "expected"),
    [
        pytest.param(double("x", 0, 10), 0, 5, 0.5, id="half of a uniform one below the middle"),
        pytest.param(
            double("x", 1e-4, 1, distribution=D.LOG_UNIFORM),
            1e-4,
            1e-2,
            0.5,
            id="half by orders",
        ),
        pytest.param(
            double("x", 0, 6, distribution=D.NORMAL), 2, 4, 0.6846, id="a deviation of a normal one"
        ),
        pytest.param(
            double("x", 1e-3, 1e3, distribution=D.LOG_NORMAL),
            0.1,
            10,
            0.6846,
            id="and of its log",
        ),
        pytest.param(double("x", 0, 1, 0.25), 0, 0, 0.2, id="the first of five levels"),
        pytest.param(double("x", 0, 1, 0.25), 1, 1, 0.2, id="the last of five levels"),
        pytest.param(whole("x", 0, 3), 3, 3, 0.25, id="the last of four ints"),
    ],
)
def test_a_distribution_gives_values_their_share(parameter, low, high, expected):
    assert share(parameter, low, high) == pytest.approx(expected, abs=0.002)


@given(st.data())
def test_ranks_number_the_points_of_a_finite_space(data):
    cube = Cube(problem(whole("a", 0, 4), listed("b", "x", "y"), double("c", 0, 1, 0.5)).space)
    rank = data.draw(st.integers(0, cube.cardinality - 1))
    assert cube.rank(cube.unrank(rank)) == rank


CHAIN = SearchSpace(
    (
        double("d", 0, 1, 0.5),
        listed("a", "x", "y", "z"),
        whole("b", 1, 3),
        listed("c", "2", "1", kind=ParameterKind.DISCRETE),
        listed("e", "p", "q"),
    ),
    (
        ParameterCondition("b", "a", ("y",)),
        ParameterCondition("c", "a", ("y", "z")),
        ParameterCondition("d", "c", ("2",)),
    ),
)
"""Below y 3 × (1 + 3), below z 1 + 3, below x nothing; each beside p and q."""


def test_a_space_with_conditions_has_as_many_points_as_are_different():
    cube = Cube(CHAIN)
    points = [cube.unrank(rank) for rank in range(CHAIN.cardinality)]
    assert CHAIN.cardinality == (1 + 12 + 4) * 2
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert all(CHAIN.contains(point) for point in points)
    assert [cube.rank(point) for point in points] == list(range(len(points)))


def test_a_point_keeps_the_order_of_the_file_whatever_depends_on_what():
    names = {tuple(Cube(CHAIN).unrank(rank)) for rank in range(CHAIN.cardinality)}
    assert names == {
        ("a", "e"), ("a", "c", "e"), ("d", "a", "c", "e"), ("a", "b", "c", "e"),
        ("d", "a", "b", "c", "e"),
    }  # fmt: skip


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_quantiles_give_a_point_without_what_is_inactive(units):
    cube = Cube(CHAIN)
    point = cube.point(units)
    assert CHAIN.contains(point)
    assert cube.point(cube.units(point)) == point


def test_the_two_numbers_that_python_hashes_alike_are_two_points():
    cube = Cube(problem(double("x", -2, -1)).space)
    assert cube.key({"x": -1.0}) != cube.key({"x": -2.0})


def test_points_that_differ_in_what_is_inactive_alone_are_one():
    space = SearchSpace(
        (listed("a", "x", "y"), double("b", 0, 1)), (ParameterCondition("b", "a", ("y",)),)
    )
    cube = Cube(space)
    same = [cube.key(cube.point([0.1, unit])) for unit in (0.2, 0.7)]
    other = [cube.key(cube.point([0.9, unit])) for unit in (0.2, 0.7)]
    assert (len({*same}), len({*same, *other})) == (1, 3)
