"""Curves of many trials for a plot: thinned, and read on instead of read anew."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.asked import asked
from tunewright.api.documents import parse
from tunewright.api.errors import NotFound
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.states import TrialState
from tunewright.db.records import Usage
from tunewright.db.sql import open_store
from tunewright.ui.curves import Curves
from tunewright.ui.table import Table

many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Watched:
    """One experiment of one trial, and how often its values were read."""

    def __init__(self, store, name):
        self._store = store
        key = ExperimentKey("default", name)
        document = parse(asked()).write()
        self.record = store.create_experiment(key, document, seed=1, workdir="/", now=1.0)
        self._uid = self.record.uid
        store.propose(self._uid, 0, [("t-0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
        self.table = Table(store, self.record)
        self.curves = Curves(self)
        self.attempt = self.reported = self.reads = 0
        self.begin()

    def samples(self, *key, **which):
        self.reads += 1
        return self._store.samples(*key, **which)

    def begin(self):
        self.attempt, self.reported = self.attempt + 1, 0
        key = (self._uid, 0, self.attempt)
        self._store.start_attempt(*key, token="t", now=1.0)
        self._store.attempt_running(*key, pid=1, pid_started_at=1.0, now=1.0)

    def report(self, count, at_once=1):
        """Report so many values, `at_once` of them at each moment."""
        values = range(self.reported, self.reported + count)
        samples = tuple(Sample("loss", float(n), float(n // at_once), n) for n in values)
        batch = Batch(self._uid, 0, self.attempt, "stdout", self.reported, samples)
        self._store.record([batch], now=1.0)
        self.reported += count

    def over(self):
        self._store.attempt_ended(
            self._uid, 0, self.attempt, exit_code=0, reason="", message="", usage=Usage(), now=2.0
        )

    def end(self):
        self.over()
        self._store.finish_trial(
            self._uid, 0, TrialState.SUCCEEDED, reason="r", message="m", now=3.0
        )

    def look(self, curves=None):
        """Return the values of the curve, as the page draws it now."""
        self.table.refresh()
        found = (curves or self.curves).of(self._uid, self.table, "loss")
        return found[0]["values"] if found else []


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


@given(parts=st.lists(st.integers(0, 700), min_size=1, max_size=5), at_once=st.integers(1, 9))
@many
def test_a_curve_that_is_read_on_is_the_one_that_is_read_at_once(store, parts, at_once):
    watched = Watched(store, f"e-{len(store.experiments())}")
    for part in parts:
        watched.report(part, at_once)
        shown = watched.look()
    assert shown == watched.look(Curves(store))


@pytest.mark.parametrize("count", [0, 1, 2, 100, 101, 102, 25_000])
def test_a_curve_goes_from_the_first_value_to_the_last_in_few_even_steps(store, count):
    watched = Watched(store, "e")
    watched.report(count)
    shown = watched.look()

    assert shown[:1] + shown[-1:] == ([0.0, count - 1.0] if count else [])
    assert min(count, 50) <= len(shown) <= 101
    assert len({after - before for before, after in pairwise(shown[:-1])}) <= 1


def test_nothing_is_read_of_a_trial_that_has_ended_and_was_read_since(store):
    watched = Watched(store, "e")
    watched.report(10)
    watched.end()
    first = watched.look()
    assert (watched.look(), watched.reads) == (first, 1)


def test_another_attempt_has_a_curve_of_its_own(store):
    watched = Watched(store, "e")
    watched.report(10)
    watched.look()
    watched.over()
    watched.begin()
    watched.report(3)
    assert watched.look() == [0.0, 1.0, 2.0]


def test_a_trial_that_was_deleted_leaves_what_was_read_of_it(store, monkeypatch):
    watched = Watched(store, "e")
    watched.report(3)
    first = watched.look()

    def deleted(*key, **which):
        raise NotFound("there is no trial 0")

    monkeypatch.setattr(watched, "samples", deleted)
    assert watched.look() == first
