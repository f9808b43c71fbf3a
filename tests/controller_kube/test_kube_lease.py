"""One of several replicas leads, and none begins before the other has ended."""

import asyncio
import contextlib
import copy

import pytest
from tunewright.api.errors import Conflict, Forbidden, NotFound, ServerUnavailable
from tunewright.controller.kube.lease import Elector, Seen, Step, Times, decide, look

TIMES = Times()


@pytest.mark.parametrize(
    ("seen", "now", "step"),
    [
        pytest.param(None, 0.0, Step.TAKE, id="there is none"),
        pytest.param(Seen("", "1", 0.0), 0.0, Step.TAKE, id="it was given back"),
        pytest.param(Seen("me", "1", 0.0), 99.0, Step.RENEW, id="it is ours"),
        pytest.param(Seen("other", "1", 0.0), 14.9, Step.WAIT, id="another's"),
        pytest.param(Seen("other", "1", 0.0), 15.0, Step.TAKE, id="another's, run out"),
    ],
)
def test_what_a_replica_does_about_a_lease(seen, now, step):
    assert decide(seen, "me", TIMES, now) is step


def lease(version, holder="other"):
    return {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder}}


def test_a_lease_that_did_not_change_grows_older_by_our_own_clock():
    seen = look(None, lease("1"), 10.0)

    assert look(seen, lease("1"), 20.0).since == 10.0
    assert look(seen, lease("2"), 20.0).since == 20.0


class World:
    """A server with one lease, and a clock that moves when somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.lease = None
        self.away = False
        self.version = 0

    async def get(self, _resource, _namespace, _name):
        if self.away:
            raise ServerUnavailable("away")
        if self.lease is None:
            raise NotFound("none yet")
        return copy.deepcopy(self.lease)

    async def create(self, _resource, _namespace, document):
        if self.lease is not None:
            raise Conflict("it exists")
        return self._keep(document)

    async def replace(self, _resource, _namespace, document):
        if self.away:
            raise ServerUnavailable("away")
        if document["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("another version")
        return self._keep(document)

    def _keep(self, document):
        self.version += 1
        self.lease = copy.deepcopy(document)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)

    def elector(self, me, **more):
        return Elector(
            self, "system", "operator", me,
            clock=lambda: self.now, wall=lambda: 1_700_000_000.0 + self.now, sleep=self.sleep,
            **more,
        )  # fmt: skip

    async def sleep(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def holder(self):
        return self.lease["spec"]["holderIdentity"]


@pytest.fixture
def world():
    return World()


def test_the_lease_is_renewed_while_the_work_goes_on_and_given_back_at_its_end(world):
    seen = []

    async def lead():
        while world.now < 60:
            seen.append((world.holder, world.now))
            await asyncio.sleep(0)

    asyncio.run(world.elector("me").run(lead))

    assert {holder for holder, _ in seen} == {"me"}
    assert world.version > 20
    assert world.holder == ""


def test_a_second_replica_waits_for_the_first_and_then_leads(world):
    order = []

    def lead(name):
        async def work():
            order.append(f"{name} begins")
            for _ in range(5):
                await asyncio.sleep(0)
            order.append(f"{name} ends")

        return work

    async def both():
        await asyncio.gather(*(world.elector(name).run(lead(name)) for name in ("a", "b")))

    asyncio.run(both())

    assert order in (
        ["a begins", "a ends", "b begins", "b ends"],
        ["b begins", "b ends", "a begins", "a ends"],
    )
    assert world.lease["spec"]["leaseTransitions"] >= 2


def test_a_leader_that_cannot_renew_stops_before_another_may_begin(world):
    stopped_at = []

    async def lead():
        world.away = True
        try:
            await asyncio.Event().wait()
        finally:
            stopped_at.append(world.now)

    asyncio.run(world.elector("me").run(lead))

    assert stopped_at[0] < TIMES.duration
    assert world.holder == "me"  # nobody could be told


def test_a_leader_whose_lease_was_taken_stops_at_once(world):
    stopped_at = []

    async def lead():
        world._keep({**world.lease, "spec": {**world.lease["spec"], "holderIdentity": "other"}})
        try:
            await asyncio.Event().wait()
        finally:
            stopped_at.append(world.now)

    asyncio.run(world.elector("me").run(lead))

    assert stopped_at[0] <= 2 * TIMES.retry
    assert world.holder == "other"


def test_a_leader_that_is_told_to_end_gives_the_lease_back_after_its_work(world):
    ended = []
    began = asyncio.Event()

    async def lead():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(world.holder)

    async def scene():
        running = asyncio.create_task(world.elector("me").run(lead))
        await began.wait()
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(scene())

    assert (ended, world.holder) == (["me"], "")


def test_a_replica_that_may_not_read_the_lease_says_so(world):
    async def forbidden(_resource, _namespace, _name):
        raise Forbidden("leases")

    world.get = forbidden

    with pytest.raises(Forbidden):
        asyncio.run(world.elector("me").run(asyncio.Event().wait))


def test_what_goes_wrong_in_the_work_is_raised_and_the_lease_given_back(world):
    async def lead():
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(world.elector("me").run(lead))

    assert world.holder == ""


def test_work_that_does_not_end_is_left_behind(world):
    times = Times(duration=0.02, deadline=0.01, retry=0.005)
    left = asyncio.Event()

    async def lead():
        world.away = True
        while not left.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await left.wait()

    asyncio.run(world.elector("me", times=times, vanish=left.set).run(lead))

    assert left.is_set()
