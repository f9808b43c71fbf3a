"""Whose checkpoints are spare: populations and other trials, as literal stories."""

import pytest
from tunewright.controller.lineage import Member, recent, spare


def member(name: str, parent: str | None = None) -> Member:
    """Return `b2` as member b of generation 2; `x` as a trial of none."""
    generation = int(name[1:]) if len(name) > 1 else None
    return Member(name, generation, parent)


THREE = [
    *(member("a0"), member("b0"), member("c0")),
    *(member("a1", "a0"), member("b1", "a0"), member("c1", "c0")),
    *(member("a2", "a1"), member("b2", "a1"), member("c2", "c1")),
]


@pytest.mark.parametrize(
    ("members", "best", "found"),
    [
        pytest.param([], None, [], id="no trial"),
        pytest.param(THREE[:3], None, [], id="one generation"),
        pytest.param(THREE[:6], None, [], id="two generations"),
        pytest.param(THREE[:7], None, ["b0"], id="a third begins"),
        pytest.param(THREE, "b0", [], id="the best stays"),
        pytest.param(
            [*THREE, member("a3", "a2")], None, ["a0", "b0", "c0", "b1"], id="a fourth begins"
        ),
        pytest.param(
            [*THREE, member("a3", "a2"), member("c3", "c0")],
            None,
            ["a0", "b0", "b1"],
            id="one goes on once more from where it began",
        ),
        pytest.param([member("x"), member("y", "x")], "y", [], id="trials without a generation"),
        pytest.param([*THREE[:7], member("x", "b0")], None, [], id="a person's, of an old one"),
    ],
)
def test_spare_are_those_that_nobody_goes_on_from(members, best, found):
    assert spare(members, best) == found


def test_recent_are_the_last_generations_without_trials_of_none():
    members = [*THREE, member("x")]
    assert [each.name for each in recent(members, 2)] == ["a1", "b1", "c1", "a2", "b2", "c2"]
