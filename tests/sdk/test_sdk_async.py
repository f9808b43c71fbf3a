"""`AsyncClient`: the same verbs as `Client`, awaited."""

import asyncio
import inspect

import pytest
from support.asked import asked
from support.command import ROOT
from tunewright import AsyncClient, Client, NotFound

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))


def verbs(kind):
    return {
        name: [(each.name, each.kind, each.default) for each in parameters.values()]
        for name, found in vars(kind).items()
        if not name.startswith("_") and inspect.isfunction(found)
        for parameters in [inspect.signature(found).parameters]
    }


def test_the_async_client_has_the_verbs_of_client_with_the_same_options():
    here = verbs(Client)
    for beneath in ("run", "told"):
        here.pop(beneath)
    assert verbs(AsyncClient) == here
    awaited = [getattr(AsyncClient, name) for name in here]
    assert all(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in awaited)


def test_workers_of_one_loop_ask_and_tell():
    async def worker(client):
        while (point := await client.ask("asked")) is not None:
            await client.tell("asked", point, loss=point.parameters["x"])

    async def main():
        async with AsyncClient() as client:
            await client.create(asked(trials=9))
            await asyncio.gather(*(worker(client) for _ in range(3)))
            with pytest.raises(NotFound):
                await client.experiment("nothing")
            return await client.wait("asked"), await client.best("asked")

    ended, best = asyncio.run(main())
    assert (ended.state, ended.best) == ("Succeeded", best)


def test_any_number_may_wait_for_a_point_while_others_tell():
    async def main():
        async with AsyncClient() as client:
            await client.create(asked(trials=1))
            point = await client.ask("asked")
            waiting = [asyncio.create_task(client.ask("asked")) for _ in range(40)]
            with pytest.raises(TimeoutError, match="1 point given out"):
                await client.ask("asked", timeout=0.5)
            await client.tell("asked", point, loss=1.0)
            return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [None] * 40


def test_a_call_that_waits_does_not_hold_the_loop_up():
    async def main():
        async with AsyncClient() as client:
            await client.create(asked(trials=1))
            point = await client.ask("asked")
            waiting = asyncio.create_task(client.wait("asked"))
            await client.tell("asked", point, loss=1.0)
            return await waiting

    assert asyncio.run(main()).state == "Succeeded"
