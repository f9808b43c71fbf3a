"""Sobol's sequence of our own, which is scipy's, and what the first points of a search load."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats.qmc import Sobol
from support.command import ROOT
from tunewright.suggestion.sobol_sequence import sobol_sequence

SEARCHED = """
import sys
from support.search import double, problem
from tunewright.suggestion.session import Session

numbers = [double("x", 0, 1), double("y", 0, 1)]
Session(problem(*numbers, algorithm={name!r})).suggest(0, 2)
print(sorted({{"scipy", "optuna", "cmaes"}} & set(sys.modules)))
"""


def by_scipy(dimensions, seed, first):
    sequence = Sobol(dimensions, seed=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    return [[float(each) for each in sequence.random(1)[0]] for _ in range(40)]


@pytest.mark.parametrize("first", [0, 1, 70_000])
@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
@pytest.mark.parametrize("dimensions", [1, 2, 11, 64, 65])
def test_its_points_are_those_of_scipy(dimensions, seed, first):
    sequence = sobol_sequence(dimensions, seed)
    assert [sequence.point(first + offset) for offset in range(40)] == by_scipy(
        dimensions, seed, first
    )


@pytest.mark.parametrize("dimensions", [2, 65])
def test_its_points_are_asked_for_in_any_order(dimensions):
    sequence = sobol_sequence(dimensions, 7)
    back = [sequence.point(number) for number in reversed(range(40))]
    assert back[::-1] == by_scipy(dimensions, 7, 0)


@pytest.mark.parametrize("name", ["auto", "gp", "sobol"])
def test_the_first_points_of_a_search_wait_for_no_large_library(name):
    done = subprocess.run(
        [sys.executable, "-c", SEARCHED.format(name=name)],
        env={"PYTHONPATH": f"{ROOT / '.types'}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr
