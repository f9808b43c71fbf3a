"""Several objectives as one loss, for the Gaussian process."""

import math

import numpy as np
import pytest
from tunewright.suggestion.algorithms.gp.scalar import drawn, scalars

CONCAVE = [(0.0, 1.0), (0.5, 0.9), (0.9, 0.5), (1.0, 0.0), (1.0, 1.0)]
"""A front that bulges away from the best, and a trial that is behind it."""


def best(losses, *weights):
    return int(scalars(losses, np.array(weights)).argmin())


def test_some_weights_choose_each_place_of_a_front_also_where_it_is_concave():
    shares = [step / 20 for step in range(21)]
    chosen = {best(CONCAVE, share, 1 - share) for share in shares}
    assert chosen == {0, 1, 2, 3}


def test_the_scale_of_an_objective_makes_no_difference():
    scaled = [(1e6 * first, second - 40) for first, second in CONCAVE]
    for share in (0.1, 0.4, 0.8):
        assert best(scaled, share, 1 - share) == best(CONCAVE, share, 1 - share)


def test_of_two_that_are_alike_in_what_weighs_most_the_one_that_is_better_elsewhere_is_chosen():
    assert best([(0.0, 1.0), (1.0, 0.5), (1.0, 0.2)], 1.0, 0.0) == 0
    assert best([(1.0, 0.5), (1.0, 0.2), (2.0, 0.1)], 0.9, 0.1) == 1


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param([(1.0, 2.0)], id="one trial"),
        pytest.param([(1.0, 2.0)] * 3, id="all alike"),
        pytest.param([(1.0, 2.0), (math.inf, 3.0), (2.0, -math.inf)], id="infinite ones"),
        pytest.param([(math.inf, math.inf)] * 2, id="nothing finite"),
    ],
)
def test_the_loss_is_a_number_whatever_was_seen(losses):
    assert np.isfinite(scalars(losses, np.array([0.5, 0.5]))).all()


def test_weights_sum_to_one_and_come_from_everywhere():
    weights = np.array([drawn(np.random.default_rng(seed), 2) for seed in range(400)])
    assert weights.sum(axis=1) == pytest.approx(np.ones(400))
    shares, _ = np.histogram(weights[:, 0], bins=4, range=(0, 1))
    assert shares.min() > 60
