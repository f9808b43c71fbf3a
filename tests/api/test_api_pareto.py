import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.api.history import Dropped, Finished, Verdict
from tunewright.api.objective import Direction, Further, Metric, Objective, Strategy
from tunewright.api.pareto import dominates, front, hypervolume, observed, ranks, worst
from tunewright.api.states import TrialState

NUMBERS = st.integers(0, 6).map(float) | st.just(math.inf)
LOSSES = st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[NUMBERS] * n), max_size=12))


@given(LOSSES)
def test_the_front_is_what_nothing_dominates(losses):
    free = {
        place
        for place, mine in enumerate(losses)
        if not any(dominates(other, mine) for other in losses)
    }
    assert set(front(losses)) == free


@given(LOSSES)
def test_each_rank_is_the_front_of_what_is_not_before_it(losses):
    rank = ranks(losses)
    for level in set(rank):
        left = [place for place in range(len(losses)) if rank[place] >= level]
        members = {left[place] for place in front([losses[place] for place in left])}
        assert members == {place for place in left if rank[place] == level}


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 4)] * n))))
def test_the_hypervolume_counts_the_cells_that_are_dominated(losses):
    width = len(losses[0]) if losses else 1
    cells = itertools.product(range(4), repeat=width)
    covered = sum(any(all(map(int.__le__, point, cell)) for point in losses) for cell in cells)
    assert hypervolume(losses, (4.0,) * width) == covered


@pytest.mark.parametrize("loss", [(math.inf, 0.0), (-math.inf, 0.0), (4.0, 0.0)])
def test_what_is_infinite_or_as_bad_as_the_reference_covers_nothing(loss):
    assert hypervolume([loss, (1.0, 1.0)], (4.0, 4.0)) == 9.0


def test_the_worst_are_the_greatest_finite_numbers():
    assert worst([(1.0, math.inf), (3.0, -2.0)]) == (3.0, -2.0)


OBJECTIVE = Objective(
    Metric("loss", Strategy.MIN),
    Direction.MINIMIZE,
    further=(Further(Metric("accuracy", Strategy.MAX), Direction.MAXIMIZE),),
)


def ended(index, value, verdict=Verdict.OBSERVED, **values):
    return Finished(index + 1, index, TrialState.SUCCEEDED, verdict, value, tuple(values.items()))


def test_a_trial_counts_only_with_a_number_for_every_objective():
    log = [
        ended(0, 1.0, accuracy=0.5),
        ended(1, 0.1, accuracy=math.nan),
        ended(2, math.nan, Verdict.BAD, accuracy=0.9),
        ended(3, 0.2),
        ended(4, 0.3, Verdict.BAD, accuracy=0.9),
        ended(5, 0.4, accuracy=0.6),
        Dropped(7, 5),
    ]
    assert observed(log, OBJECTIVE) == {0: (1.0, -0.5)}
