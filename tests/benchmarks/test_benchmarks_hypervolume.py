"""What searches with two objectives are measured by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search.fronts import HELD_OUT, TUNING
from search.hypervolume import SEARCHES, covered, missing
from tunewright.api.pareto import hypervolume

ZDT1 = TUNING[0]
PAIRS = st.tuples(st.integers(0, 12), st.integers(0, 12))


@given(st.lists(PAIRS, max_size=12))
def test_the_area_is_the_hypervolume_that_describe_shows(losses):
    assert covered(losses, (10, 10)) == hypervolume(losses, (10, 10))


@pytest.mark.parametrize("challenge", [*TUNING, *HELD_OUT], ids=lambda each: each.name)
def test_the_best_front_misses_nothing_and_no_trial_everything(challenge):
    assert missing(challenge, challenge.best()) == 0
    assert missing(challenge, []) == 1


@pytest.mark.filterwarnings("ignore")  # optuna's marks of what is experimental
@pytest.mark.parametrize("name", SEARCHES)
def test_each_searches_both_objectives_and_the_same_again_for_the_same_seed(name, monkeypatch):
    monkeypatch.setattr("search.hypervolume.TRIALS", 20)
    found = SEARCHES[name](ZDT1, 1)
    assert SEARCHES[name](ZDT1, 1) == found
    assert 0 < missing(ZDT1, found) <= 1
