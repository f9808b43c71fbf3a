"""Finding experiments among many: pages, filters, and what changed since the last look."""

import random
from collections.abc import Callable
from itertools import product

import pytest
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.states import ExperimentState, TrialState
from tunewright.db.listing import Order, Query, selected, shown_state
from tunewright.db.store import Store

SPEC = {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}


def made(store: Store, name: str, namespace: str = "default", now: float = 1.0, **labels: str):
    document = {"metadata": {"name": name, "labels": labels}, "spec": SPEC}
    key = ExperimentKey(namespace, name)
    return store.create_experiment(key, document, seed=1, workdir="/", now=now).uid


def names(store: Store, **query) -> list[str]:
    return [record.key.name for record in store.find_experiments(Query(**query)).records]


@pytest.fixture
def crowd(store: Store) -> Store:
    """Experiments of several namespaces, states and labels."""
    chance = random.Random(3)
    for number in range(40):
        labels = {"team": chance.choice("ab")} if number % 3 else {}
        namespace = chance.choice(["default", "vision", "100-real"])
        uid = made(store, f"e-{number:02}", namespace, now=float(chance.randrange(30)), **labels)
        if number % 4:
            state = chance.choice([ExperimentState.RUNNING, ExperimentState.FAILED])
            store.set_state(uid, state, reason="Because", message="", now=50.0)
        if number % 5 == 0:
            record = store.experiment(ExperimentKey(namespace, f"e-{number:02}"))
            store.set_document(uid, record.document, version=1, suspended=True)
    return store


@pytest.mark.parametrize("order", Order)
def test_a_page_is_what_matches_in_order(crowd: Store, order: Order):
    everything = crowd.experiments()
    searches = ["", "e-1", "vision", "n/e-0", "100%", "_", "E-2"]
    states = [None, "Created", "Running", "Paused", "Failed"]
    labels = [(), (("team", None),), (("team", "a"),), (("team", "a"), ("other", None))]
    for search, state, wanted in product(searches, states, labels):
        query = Query(search=search, state=state, labels=wanted, order=order, offset=2, limit=5)
        whole = selected(query, everything)
        found = crowd.find_experiments(query)
        assert [each.uid for each in found.records] == [each.uid for each in whole[2:7]]
        assert found.total == len(whole)


def test_of_namespaces_that_one_may_see_alone_there_is_any(crowd: Store):
    found = crowd.find_experiments(Query(within=frozenset({"vision", "100-real"}), limit=100))
    assert {each.key.namespace for each in found.records} == {"vision", "100-real"}
    assert crowd.find_experiments(Query(within=frozenset())).total == 0


def test_a_namespace_alone_is_found(crowd: Store):
    found = crowd.find_experiments(Query(namespace="vision", limit=100))
    assert found.total == len(crowd.experiments(namespace="vision"))
    assert {each.key.namespace for each in found.records} == {"vision"}


def test_what_is_suspended_is_shown_as_paused(store: Store):
    uid = made(store, "one")
    record = store.experiment(ExperimentKey("default", "one"))
    store.set_document(uid, record.document, version=1, suspended=True)
    (found,) = store.find_experiments(Query(state="Paused")).records
    assert shown_state(found) == "Paused"


def test_labels_are_found_as_the_document_has_them_now(store: Store):
    uid = made(store, "one", team="a", task="digits")
    changed = {"metadata": {"name": "one", "labels": {"team": "b", "not a label": "x" * 99}}}
    store.set_document(uid, {**changed, "spec": SPEC}, version=1, suspended=False)
    assert names(store, labels=(("team", "b"),)) == ["one"]
    assert names(store, labels=(("team", "a"),)) == []
    assert names(store, labels=(("task", None),)) == []


class TestFeed:
    def changes(self, feed) -> list[str]:
        return sorted(record.key.name for record in feed.read().records)

    def test_what_is_written_is_told_once(self, store: Store, opened: Callable[..., Store]):
        feed = opened().feed()
        assert not feed.read()
        uid = made(store, "one")
        made(store, "other")
        assert self.changes(feed) == ["one", "other"]
        store.set_state(uid, ExperimentState.RUNNING, reason="Because", message="", now=2.0)
        (found,) = feed.read().records
        assert (found.key.name, found.state) == ("one", ExperimentState.RUNNING)
        assert not feed.read()

    def test_whatever_changes_a_record_is_told(self, store: Store):
        uid = made(store, "one")
        record = store.experiment(ExperimentKey("default", "one"))
        feed = store.feed()
        feed.read()
        writings: list[Callable[[], object]] = [
            lambda: store.add_active_seconds(uid, 1.0),
            lambda: store.set_document(uid, record.document, version=1, suspended=True),
            lambda: store.propose(uid, 0, [("t-0", Proposal({}))], made_from=0, now=1.0),
            lambda: store.finish_trial(
                uid, 0, TrialState.FAILED, reason="Because", message="", now=1.0
            ),
            lambda: store.drop_trial(uid, 0, now=1.0),
        ]
        for write in writings:
            write()
            assert self.changes(feed) == ["one"]

    def test_a_deleted_experiment_is_told_by_its_uid(self, store: Store):
        uid = made(store, "one")
        feed = store.feed()
        feed.read()
        store.delete_experiment(uid)
        assert feed.read().gone == [uid]
        assert not feed.read()

    def test_another_namespace_is_not_heard_of(self, store: Store):
        feed = store.feed("vision")
        store.delete_experiment(made(store, "one"))
        made(store, "two", "vision")
        assert self.changes(feed) == ["two"]

    def test_too_many_to_tell_each_are_told_together(self, store: Store):
        feed = store.feed()
        with store.group():
            for number in range(101):
                made(store, f"e-{number}")
        assert feed.read().more
        assert not feed.read()
