"""Words for people."""

import pytest
from tunewright.api.words import counted


@pytest.mark.parametrize(("noun", "several"), [("trial", "trials"), ("directory", "directories")])
def test_one_thing_is_named_in_the_singular_and_any_other_number_in_the_plural(noun, several):
    told = [counted(count, noun) for count in (0, 1, 2)]
    assert told == [f"0 {several}", f"1 {noun}", f"2 {several}"]
