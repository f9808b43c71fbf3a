"""The queue of names that an operator works through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.controller.kube.cache import Key
from tunewright.controller.kube.queue import WorkQueue

A1, A2, B1 = Key("a", "1"), Key("a", "2"), Key("b", "1")


def queue():
    return WorkQueue(lambda: 1.0)


def drained(work, now=0.0):
    taken = []
    while (key := work.take(now)) is not None:
        taken.append(key)
        work.done(key)
    return taken


def test_a_name_that_is_added_twice_is_looked_at_once():
    work = queue()
    work.add(A1)
    work.add(A1)

    assert drained(work) == [A1]


def test_what_is_added_while_it_is_worked_on_is_looked_at_once_more():
    work = queue()
    work.add(A1)
    work.take(0.0)
    work.add(A1)
    work.add(A1)

    assert work.take(0.0) is None
    work.done(A1)
    assert drained(work) == [A1]


def test_namespaces_take_turns():
    work = queue()
    for key in (A1, A2, Key("a", "3"), B1):
        work.add(key)

    assert drained(work) == [A1, B1, A2, Key("a", "3")]


def test_what_is_urgent_goes_first_also_when_it_was_not_before():
    work = queue()
    for key in (A1, A2, B1):
        work.add(key, urgent=False)
    work.add(B1)

    assert drained(work) == [B1, A1, A2]


def test_what_is_due_later_waits_for_its_moment():
    work = queue()
    work.add_at(A1, 5.0)

    assert (work.take(4.9), work.wake_at) == (None, 5.0)
    assert (work.take(5.0), work.wake_at) == (A1, None)


def test_of_several_moments_the_first_counts_and_the_others_are_forgotten():
    work = queue()
    for moment in (9.0, 5.0, 7.0):
        work.add_at(A1, moment)

    assert drained(work, now=5.0) == [A1]
    assert (drained(work, now=99.0), work.wake_at) == ([], None)


def failing(work, *moments):
    """Fail at each of the moments; return the pauses."""
    pauses = []
    for moment in moments:
        work.retry(A1, moment)
        pauses.append(round(work.wake_at - moment, 3))
        drained(work, now=work.wake_at)
    return pauses


@pytest.mark.parametrize(
    ("moments", "pauses"),
    [
        pytest.param((0.0, 0.1, 0.3), [0.1, 0.2, 0.4], id="again at each look"),
        pytest.param((0.0, 0.9, 2.0), [0.1, 0.2, 0.4], id="a step later than the first look"),
        pytest.param((0.0, 5.0, 10.0), [0.1, 0.1, 0.1], id="now and then"),
    ],
)
def test_the_pause_doubles_with_each_failure_that_follows_soon(moments, pauses):
    assert failing(queue(), *moments) == pauses


def test_what_has_failed_often_is_not_quick_again_after_one_good_look():
    work = queue()
    moments = [0.0]
    for _ in range(6):
        moments.append(moments[-1] + 0.1 * 2 ** (len(moments) - 1) * 1.5)

    assert failing(work, *moments)[-1] == 6.4


def test_another_by_the_same_name_begins_anew():
    work = queue()
    failing(work, 0.0, 0.1)
    work.forget(A1)

    assert failing(work, 0.3) == [0.1]


def test_a_pause_never_grows_beyond_five_minutes():
    work = queue()
    for _ in range(50):
        drained(work, now=1e9)
        work.retry(A1, 0.0)

    assert work.wake_at == 300.0


KEYS = st.sampled_from([A1, A2, B1])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "idle", "take", "done"]), KEYS), max_size=60)


@given(STEPS)
def test_nothing_is_lost_and_nothing_is_worked_on_twice_at_once(steps):
    work = queue()
    active, owed = [], set()
    for step, key in steps:
        if step in {"add", "idle"}:
            work.add(key, urgent=step == "add")
            owed.add(key)
        elif step == "take":
            taken = work.take(0.0)
            if taken is not None:
                assert taken not in active
                active.append(taken)
                owed.discard(taken)
        elif active:
            work.done(active.pop(0))
    for key in active:
        work.done(key)

    assert set(drained(work)) == owed
