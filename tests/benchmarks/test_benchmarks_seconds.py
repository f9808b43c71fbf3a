"""The benchmark of the seconds to a suggestion: who is asked, and what a row says."""

import re

import pytest
from search.seconds import SEARCHES, SKOPT_MOST, row


@pytest.mark.parametrize("name", SEARCHES)
def test_a_row_has_the_median_and_the_first_answer_for_each_size(name):
    assert re.fullmatch(
        rf"\| {name} \| 2 \|( \d+\.\d\d \(\d+\.\d\d\) \|){{2}}", row(name, 2, (10, 12))
    )


def test_a_library_is_not_asked_beyond_what_it_bears():
    cell = row("scikit-optimize", 2, (SKOPT_MOST + 1,))
    assert cell == "| scikit-optimize | 2 | not run |"
