"""A cluster's experiments as a list that people search, and what changes in it."""

import pytest
from support.apiserver import NEEDED
from support.operated import experiment
from support.waiting import until
from tunewright.api.errors import NotFound
from tunewright.controller.kube.records import ClusterRecords
from tunewright.controller.kube.resources import EXPERIMENTS
from tunewright.controller.kube.session import Context, connect
from tunewright.db.listing import Order, Query

pytestmark = NEEDED


class Place:
    """A namespace, and the experiments that are put into it."""

    def __init__(self, api_server):
        self.namespace = api_server.namespace()
        self.session = connect(Context(str(api_server.kubeconfig)))
        self.records = ClusterRecords(self.session)

    def create(self, name, **labels):
        document = experiment(name)
        metadata = {**document["metadata"], "labels": labels}
        return self.session.create(EXPERIMENTS, self.namespace, {**document, "metadata": metadata})

    def find(self, **query):
        found = self.records.find_experiments(Query(namespace=self.namespace, **query))
        return [record.key.name for record in found.records], found.total

    def feed(self):
        feed = self.records.feed(self.namespace)
        feed.read()
        return feed


@pytest.fixture
def place(api_server):
    return Place(api_server)


def heard(feed):
    """Wait until something changed; return it."""
    told = []
    until(lambda: told.append(feed.read()) or told[-1])
    return told[-1]


@pytest.mark.parametrize("is_followed", [False, True], ids=["asked once", "followed"])
def test_a_page_is_found_by_name_and_label(place, is_followed):
    for name, team in (("digits-1", "a"), ("digits-2", "b"), ("digits-3", "a"), ("other", "a")):
        place.create(name, team=team)
    if is_followed:
        place.feed()
    page = place.find(search="digits", labels=(("team", "a"),), order=Order.NAME, limit=1)
    assert page == (["digits-1"], 2)
    assert place.find(labels=(("team", None),), order=Order.NAME, offset=2) == (
        ["digits-3", "other"],
        4,
    )


def test_what_is_created_changed_and_deleted_is_told(place):
    feed = place.feed()
    made = place.create("one")
    assert [each.key.name for each in heard(feed).records] == ["one"]
    place.session.merge(EXPERIMENTS, made, {"metadata": {"labels": {"team": "a"}}})
    assert heard(feed).records[0].document["metadata"]["labels"] == {"team": "a"}
    place.session.delete(EXPERIMENTS, place.namespace, "one", made["metadata"]["uid"])
    assert heard(feed).gone == [made["metadata"]["uid"]]
    assert not feed.read()


def test_nothing_of_what_is_deleted_is_held_for_ever(place):
    feed = place.feed()
    made = place.create("one")
    uid = made["metadata"]["uid"]
    heard(feed)
    place.session.delete(EXPERIMENTS, place.namespace, "one", uid)
    heard(feed)
    until(lambda: not place.records._documents)
    with pytest.raises(NotFound, match="has been deleted"):
        place.records.trials(uid)
