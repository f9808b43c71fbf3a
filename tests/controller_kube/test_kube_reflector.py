"""A cache follows a server that breaks off, forgets, and cannot do everything."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from tunewright.api.errors import (
    Expired,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
)
from tunewright.controller.kube.cache import Cache, Key
from tunewright.controller.kube.port import (
    INITIAL_END,
    Change,
    Listing,
    Resource,
    Selection,
    WatchEvent,
)
from tunewright.controller.kube.reflector import Reflector

TRIALS = Selection(Resource("kubeflow.org", "v1beta1", "trials"))


def trial(name, version, **more):
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}, **more}


def added(name, version):
    return WatchEvent(Change.ADDED, trial(name, version))


def modified(name, version):
    return WatchEvent(Change.MODIFIED, trial(name, version))


def deleted(name, version):
    return WatchEvent(Change.DELETED, trial(name, version))


def bookmark(version, **annotations):
    metadata = {"resourceVersion": str(version), "annotations": annotations}
    return WatchEvent(Change.BOOKMARK, {"metadata": metadata})


def end(version):
    return bookmark(version, **{INITIAL_END: "true"})


class Scripted:
    """A server whose every watch is written down: events, then an error or a plain end."""

    def __init__(self, *watches, listing=()):
        self._watches = list(watches)
        self._listing = listing
        self.asked = []

    async def list(self, _selection):
        self.asked.append("list")
        return Listing(self._listing, "50")

    @asynccontextmanager
    async def watch(self, _selection, *, since, seconds, silence):
        assert 300 <= seconds <= 600
        assert silence > 60
        self.asked.append(since)
        if not self._watches:
            raise asyncio.CancelledError
        steps = self._watches.pop(0)
        if steps and isinstance(steps[0], Invalid):
            raise steps[0]

        async def events():
            for step in steps:
                if isinstance(step, Exception):
                    raise step
                yield step

        yield events()


@pytest.fixture
def follow():
    """Follow a script to its end; return the reflector's cache, its changes, its pauses."""

    def run(server):
        cache, changes, pauses = Cache(), [], []

        def changed(before, after):
            shown = (before or after)["metadata"]["name"]
            word = "new" if before is None else "gone" if after is None else "changed"
            changes.append(f"{shown} {word}")

        async def sleep(seconds):
            pauses.append(seconds)

        reflector = Reflector(server, TRIALS, cache, changed, chance=lambda: 1.0, sleep=sleep)

        async def all_of_it():
            with pytest.raises(asyncio.CancelledError):
                await reflector.run()
            return reflector.synced.is_set()

        synced = asyncio.run(all_of_it())
        return [key.name for key in cache.names()], changes, pauses, synced

    return run


def test_all_there_is_comes_first_and_then_what_changes(follow):
    server = Scripted([added("a", 1), added("b", 2), end(5), modified("a", 6), deleted("b", 7)])

    names, changes, _, synced = follow(server)

    assert (names, synced) == (["a"], True)
    assert changes == ["a new", "b new", "a changed", "b gone"]


def test_it_is_synced_only_when_the_server_has_sent_everything(follow):
    assert follow(Scripted([added("a", 1)]))[3] is False


def test_a_watch_that_ends_goes_on_from_where_it_was(follow):
    server = Scripted([added("a", 1), end(5), bookmark(9)], [modified("a", 12)], [])

    assert follow(server)[1] == ["a new", "a changed"]
    assert server.asked == [None, "9", "12", "12"]


def test_what_is_read_of_one_namespace_leaves_another_s_where_it_is():
    cache = Cache()
    cache.put({"metadata": {"name": "a", "namespace": "other", "resourceVersion": "1"}})
    here = Selection(TRIALS.resource, "n")

    async def read():
        server = Scripted([added("a", 2), end(5)])
        reflector = Reflector(server, here, cache, lambda *_: None, chance=lambda: 1.0)
        with pytest.raises(asyncio.CancelledError):
            await reflector.run()

    asyncio.run(read())

    assert set(cache.names()) == {Key("other", "a"), Key("n", "a")}


def test_a_beginning_that_breaks_off_begins_again(follow):
    server = Scripted(
        [added("a", 1), ServerUnavailable("gone")], [added("a", 1), added("b", 2), end(5)]
    )

    assert follow(server)[:2] == (["a", "b"], ["a new", "b new"])
    assert server.asked == [None, None, "5"]


def test_what_vanished_while_the_version_was_forgotten_is_told_as_gone(follow):
    server = Scripted(
        [added("a", 1), added("b", 2), end(5)], [Expired("410")], [added("b", 2), end(40)]
    )

    assert follow(server)[:2] == (["b"], ["a new", "b new", "a gone"])
    assert server.asked == [None, "5", None, "40"]


def test_a_server_that_cannot_send_everything_is_listed(follow):
    server = Scripted(
        [Invalid([Fault("", "sendInitialEvents is forbidden")])],
        [modified("a", 51)],
        listing=(trial("a", 1),),
    )

    names, changes, _, synced = follow(server)

    assert (names, changes, synced) == (["a"], ["a new", "a changed"], True)
    assert server.asked == [None, "list", "50", "51"]


def test_an_object_that_did_not_change_is_not_told_again(follow):
    server = Scripted([added("a", 1), end(5)], [Expired("410")], [added("a", 1), end(9)])

    assert follow(server)[1] == ["a new"]


def test_a_server_that_is_away_is_asked_less_and_less_often(follow):
    away = [ServerUnavailable("refused")]
    server = Scripted(*[away] * 8, [added("a", 1), end(5), *away], away)

    pauses = follow(server)[2]

    assert pauses[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert pauses[8:] == [1.0, 2.0]


def test_a_kind_that_a_server_does_not_have_is_asked_for_however_long_it_lacks_it(follow):
    pauses = follow(Scripted(*[[NotFound("no such kind")]] * 1100))[2]

    assert len(pauses) == 1100
    assert pauses[-1] == 30.0


def test_a_server_that_forgets_at_once_is_asked_less_and_less_often_too(follow):
    assert follow(Scripted(*[[Expired("410")]] * 3))[2] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("refusal", [NotFound("404 page not found"), Forbidden("no role")])
def test_a_server_that_refuses_may_come_to_send_it(follow, refusal):
    server = Scripted([refusal], [added("a", 1), end(5), refusal], [added("b", 7), end(9)])

    assert follow(server) == (["b"], ["a new", "b new", "a gone"], [1.0, 1.0], True)
    assert server.asked == [None, None, None, "9"]


def test_an_answer_that_says_nothing_of_what_there_is_is_asked_for_again(follow):
    odd = Invalid([Fault("", "a proxy wants a login")])
    server = Scripted([added("a", 1), end(5), odd], [odd], [odd], [modified("a", 51)],
                      listing=(trial("a", 1),))  # fmt: skip

    assert follow(server)[1:] == (["a new", "a changed"], [1.0, 1.0], True)


def test_who_waits_for_what_is_refused_is_told_so():
    async def asked():
        refused, waited = Scripted([Forbidden("no role")]), asyncio.Event()

        async def sleep(_):
            await waited.wait()

        options = {"chance": lambda: 1.0, "sleep": sleep}
        reflector = Reflector(refused, TRIALS, Cache(), lambda *_: None, **options)
        following = asyncio.create_task(reflector.run())
        with pytest.raises(Forbidden, match="no role"):
            await reflector.answered()
        following.cancel()

    asyncio.run(asked())


def test_a_server_says_how_long_to_wait(follow):
    assert follow(Scripted([ServerUnavailable("busy", after=7.0)]))[2] == [7.0]


class TestCache:
    def test_objects_are_found_by_what_owns_them(self):
        def owners(document):
            return [Key("n", document["owner"])]

        cache = Cache(indexes={"owner": owners})
        for name, owner in (("a", "x"), ("b", "x"), ("c", "y")):
            cache.put(trial(name, 1, owner=owner))
        cache.put(trial("b", 2, owner="y"))
        cache.remove(Key("n", "c"))

        def under(owner):
            return [each["metadata"]["name"] for each in cache.under("owner", Key("n", owner))]

        assert (under("x"), under("y"), under("z")) == (["a"], ["b"], [])

    def test_only_what_is_worth_keeping_is_kept(self):
        cache = Cache(keep=lambda document: {"metadata": document["metadata"]})
        cache.put(trial("a", 1, spec="long"))

        assert cache.get(Key("n", "a")) == trial("a", 1)

    def test_what_documents_have_in_common_is_kept_once(self):
        cache = Cache()
        for name in ("a", "b"):
            told = json.dumps({"state of it": "as it was", "notes": ["long " * 20]})
            cache.put(trial(name, 1, status=json.loads(told)))
        one, other = (cache.get(Key("n", name))["status"] for name in ("a", "b"))

        assert one == other
        assert next(iter(one)) is next(iter(other))
        assert one["state of it"] is other["state of it"]
