"""The problems of the search benchmark: what is held out, and that the optima are right."""

import pytest
from search import fronts
from search.problems import FAMILIES, FRONTS
from tunewright.api.space import Distribution
from tunewright.suggestion.cube import Cube
from tunewright.suggestion.seeds import generator

FORMULAS = {
    challenge.name: challenge
    for name, family in FAMILIES.items()
    if name != "models"
    for challenge in (*family.tuning, *family.held_out)
}
PLACES = {
    "goldstein-price": (0, -1),
    "camel6": (0.08984201368301331, -0.7126564032704135),
    "hartmann3": (0.114614, 0.555649, 0.852547),
    "shekel10": (4.000747, 3.99951, 4.00075, 3.99951),
    "styblinski-tang4": (-2.903534,) * 4,
    "michalewicz5": (2.202906, 1.570796, 1.284992, 1.923058, 1.720470),
    "dixon-price6": tuple(2 ** (2.0**-i - 1) for i in range(6)),
    "griewank8": (0,) * 8,
    "levy10": (1,) * 10,
    "zakharov12": (0,) * 12,
    "dixon-price16": tuple(2 ** (2.0**-i - 1) for i in range(16)),
    "styblinski-tang20": (-2.903534,) * 20,
    "ellipsoid20": (0.25,) * 20,
    "categorical-ackley": ("c", "c", "c", 0, 0),
    "shifted-hartmann": (0.114614, 0.555649, 0.852547, "flat", "low"),
    "network": (1e-3, 1e-4, "64", 5, 0.15, "gelu", "adam"),
    "forest": (10, 0.6, 200, "gini"),
    "menu": (2, "green", "2"),
    "nested": ("sgd", 10**-1.9, 0.3, "yes", 0.9, "yes"),
    "layers": ("2", 10**-2.5, 192, 96),
}


def test_what_is_held_out_is_tuned_on_nowhere():
    tuned = {each.name for family in FAMILIES.values() for each in family.tuning}
    held_out = {each.name for family in FAMILIES.values() for each in family.held_out}
    assert not tuned & held_out
    assert not set(FRONTS["tuning"]) & set(FRONTS["held out"])
    assert all(family.tuning and len(family.held_out) >= 2 for family in FAMILIES.values())


@pytest.mark.parametrize("name", PLACES)
def test_the_optimum_is_reached_where_the_literature_says(name):
    challenge = FORMULAS[name]
    values = iter(PLACES[name])
    point = dict(zip((p.name for p in challenge.space.parameters), values, strict=False))
    if challenge.space.conditions:
        assert point.keys() == challenge.space.active(point)
    assert challenge.loss(point) == pytest.approx(challenge.optimum, abs=2e-4)


@pytest.mark.parametrize("name", FORMULAS)
def test_no_point_is_better_than_the_optimum(name):
    challenge = FORMULAS[name]
    cube = Cube(challenge.space)
    for trial in range(300):
        chance = generator(1, trial)
        point = cube.point([chance.random() for _ in cube.axes])
        held = {key: point[key] for key in challenge.space.active(point)}
        assert challenge.loss(held) >= challenge.optimum - 1e-9


@pytest.mark.parametrize("problem", [*fronts.TUNING, *fronts.HELD_OUT], ids=lambda each: each.name)
def test_no_point_lies_before_the_front(problem):
    cube, best = Cube(problem.space), problem.best()
    for trial in range(200):
        chance = generator(2, trial)
        a, b = problem.losses(cube.point([chance.random() for _ in cube.axes]))
        assert any(one <= a + 1e-3 and other <= b + 1e-3 for one, other in best)


def test_noise_is_named_for_every_problem_of_its_family_and_for_no_other():
    for family in FAMILIES.values():
        names = {each.name for each in (*family.tuning, *family.held_out)}
        assert family.noise.keys() in (set(), names)


def test_rates_are_searched_by_their_logarithm():
    rates = [p for c in FORMULAS.values() for p in c.space.parameters if p.name == "rate"]
    assert {rate.distribution for rate in rates} == {Distribution.LOG_UNIFORM}
