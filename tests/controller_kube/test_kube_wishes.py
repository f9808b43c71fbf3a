"""What people ask of an operator by the annotation of an Experiment."""

import asyncio
import json

import pytest
from support.actors import Fate
from support.apiserver import NEEDED
from support.killing import Killing
from support.operated import experiment, scene
from tunewright.controller.kube.labels import WISHES
from tunewright.controller.kube.resources import EVENTS, EXPERIMENTS
from tunewright.controller.kube.wishes import wishes_of
from tunewright.db.sql import open_store

pytestmark = [*NEEDED, pytest.mark.timeout(240)]

AT_ONCE = 4  # scenarios, each in a namespace of its own


def staying(point, attempt):
    return Fate(stays=True)


async def ask(play, *wishes):
    annotations = {WISHES: json.dumps(list(wishes))}
    patch = {"metadata": {"annotations": annotations}}
    await play.kube.merge(EXPERIMENTS, play.namespace, "e", patch)


async def left(play):
    document = await play.get()
    return (document["metadata"].get("annotations") or {}).get(WISHES)


async def both_run(play):
    return len(play.jobs.active) == 2


async def stopped(server, folder, last):
    """Kill an operator that was asked to stop after its write number `last`; tell the end."""
    store = open_store(folder / f"{last}.db")
    try:
        async with scene(server, store, staying) as play:
            before = play.operate()
            await play.create(experiment())
            await play.until(lambda: both_run(play))
            await play.leave(before)
            await ask(play, {"id": 1, "verb": "stop"})
            killing = Killing(play.kube, last)
            first = play.operate(killing)

            async def is_over():
                return first.done() or await left(play) is None

            play.running.remove(first)
            await play.until(is_over)
            first.cancel()
            await killing.ends(first)
            play.operate()
            ended = await play.ends(seconds=60)

            async def is_struck_off():
                return await left(play) is None

            await play.until(is_struck_off)
            return ended["status"]
    finally:
        store.close()


def test_a_stop_is_carried_out_whichever_write_its_operator_is_killed_after(api_server, tmp_path):
    async def every():
        found = []
        for first in (1, 1 + AT_ONCE):
            numbers = range(first, first + AT_ONCE)
            found += await asyncio.gather(
                *(stopped(api_server, tmp_path, each) for each in numbers)
            )
        return found

    for status in asyncio.run(every()):
        assert status["conditions"][-1]["reason"] == "ExperimentStopped"
        assert status["trialsKilled"] == 2


@pytest.fixture
def within(api_server, tmp_path):
    def play(scenario, script=staying):
        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store, script) as played:
                    played.operate()
                    return await scenario(played)
            finally:
                store.close()

        return asyncio.run(run())

    return play


def test_a_refused_wish_becomes_an_event(within):
    async def scenario(play):
        await play.create(experiment())
        await play.until(lambda: both_run(play))
        await ask(play, {"id": 1, "verb": "trial-stop", "index": 99})

        async def refused():
            return [each for each in await play.all(EVENTS) if each["reason"] == "WishRefused"]

        return await play.until(refused), await left(play)

    (event,), annotation = within(scenario)
    assert (event["message"], annotation) == ("there is no such trial", None)


UNREADABLE = [
    {"verb": "nonsense"},
    {"verb": "trial-stop"},
    {"verb": "trial-stop", "index": "first"},
    {"verb": "trial-add"},
    {"verb": "trial-add", "point": "x=1"},
    {"verb": "edit", "maxTrialCount": "many"},
    {"verb": "edit", "now": True, "labels": {"team": "a"}},
    {"verb": "edit", "now": True, "note": "seen"},
    {},
]


def test_wishes_that_cannot_be_read_are_refused_and_nothing_else_happens(within):
    async def scenario(play):
        await play.create(experiment())
        await play.until(lambda: both_run(play))
        wishes = [{"id": number, **wish} for number, wish in enumerate(UNREADABLE, 1)]
        await ask(play, *wishes)

        async def is_struck_off():
            return await left(play) is None

        await play.until(is_struck_off)
        return await play.state(), len(await play.trials())

    assert within(scenario) == ("Running", 2)


def test_what_is_no_list_of_wishes_says_nothing(within):
    async def scenario(play):
        await play.create(experiment(maxTrialCount=2))
        await play.until(lambda: both_run(play))
        patch = {"metadata": {"annotations": {WISHES: "nonsense"}}}
        await play.kube.merge(EXPERIMENTS, play.namespace, "e", patch)
        await ask_again(play)
        return await play.ends()

    async def ask_again(play):
        await asyncio.sleep(0.3)
        await ask(play, {"verb": "stop"}, {"id": 2, "verb": "stop"})

    assert within(scenario)["status"]["conditions"][-1]["reason"] == "ExperimentStopped"


@pytest.mark.parametrize("levels", [120, 5000])
def test_a_wish_that_is_nested_too_deeply_says_nothing(levels):
    text = "[" * levels + "]" * levels
    assert wishes_of({"metadata": {"annotations": {WISHES: text}}}) == []
