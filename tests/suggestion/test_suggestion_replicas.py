"""Which of several replicas an experiment asks, with real servers."""

import asyncio
import socket

import pytest
from support.search import Log, double, problem
from tunewright.api.errors import PluginUnavailable
from tunewright.suggestion.replicas import ReplicaSuggester, addresses_of, ranked
from tunewright.suggestion.service import start_service

SPACE = (double("x", "0", "1"),)
ADDRESSES = [f"10.0.0.{number}:6789" for number in range(1, 5)]
UIDS = [f"uid-{number}" for number in range(1000)]


def firsts(addresses):
    return {uid: ranked(uid, addresses)[0] for uid in UIDS}


def test_every_replica_has_its_share_of_the_experiments():
    counts = [list(firsts(ADDRESSES).values()).count(address) for address in ADDRESSES]

    assert all(200 < count < 300 for count in counts)


def test_only_the_experiments_of_a_replica_that_is_gone_move():
    before, after = firsts(ADDRESSES), firsts(ADDRESSES[:-1])

    moved = {uid for uid in UIDS if before[uid] != after[uid]}
    assert moved == {uid for uid in UIDS if before[uid] == ADDRESSES[-1]}


@pytest.mark.parametrize(
    ("place", "address"), [("127.0.0.1:6789", "127.0.0.1:6789"), ("[::1]:6789", "[::1]:6789")]
)
def test_a_name_has_addresses_with_its_port(place, address):
    assert set(asyncio.run(addresses_of(place))) == {address}


def test_a_name_that_nobody_has_is_a_service_that_is_away():
    with pytest.raises(PluginUnavailable, match=r"nobody\.invalid:6789"):
        asyncio.run(addresses_of("nobody.invalid:6789"))


def test_an_experiment_asks_its_own_replica_and_another_when_that_is_gone():
    servers = {address: server for server, address in (start_service("127.0.0.1:0") for _ in "ab")}

    async def there():
        return list(servers)

    async def run():
        task, log = problem(*SPACE, algorithm="random", uid="e"), Log()
        own, other = ranked("e", servers)
        asking = ReplicaSuggester(there, log.after)
        log.propose(*(await asking.suggest(task, 0, 2, position=0)).proposals)
        before = await asking.suggest(task, 2, 1, position=log.position)
        servers[own].stop(0).wait()
        with pytest.raises(PluginUnavailable, match=own):
            await asking.suggest(task, 2, 1, position=log.position)
        after = await asking.suggest(task, 2, 1, position=log.position)
        servers[other].stop(0).wait()
        with pytest.raises(PluginUnavailable, match=other):
            await asking.suggest(task, 2, 1, position=log.position)
        await asking.close()
        return before, after

    before, after = asyncio.run(run())
    assert before == after


def test_a_replica_is_waited_for_as_long_as_the_experiment_says():
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def there():
            return [f"127.0.0.1:{silent.getsockname()[1]}"]

        async def run():
            asking = ReplicaSuggester(there, Log().after, timeout=0.1)
            with pytest.raises(PluginUnavailable, match=r"no answer within 0\.1 s"):
                await asking.suggest(problem(*SPACE, algorithm="random"), 0, 1, position=0)
            await asking.close()

        asyncio.run(run())
