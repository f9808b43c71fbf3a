"""What an operator says of the `katib-config` that it finds."""

import asyncio
from dataclasses import replace

import pytest
import yaml
from support.apiserver import NEEDED
from support.operated import scene
from tunewright.controller.kube.resources import CONFIG_MAPS, EVENTS
from tunewright.db.sql import open_store

pytestmark = NEEDED

TPE = {"algorithmName": "tpe", "image": "katib/hyperopt"}
MINE = {"algorithmName": "mine", "image": "mine:1"}


@pytest.fixture
def said_of(api_server, tmp_path):
    """Have an operator find a configuration; return what it says until it has said so many."""

    def play(text, count):
        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store) as played:
                    return await find(played, text, count)
            finally:
                store.close()

        return asyncio.run(run())

    return play


async def find(play, text, count):
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "katib-config"},
        "data": {"katib-config.yaml": text},
    }
    await play.kube.create(CONFIG_MAPS, play.namespace, config)
    play.parts = replace(play.parts, katib_configs=(play.namespace,))
    play.operate()

    async def events():
        found = await play.all(EVENTS)
        return found if len(found) >= count else None

    return await play.until(events)


def test_it_says_once_what_is_not_followed(said_of):
    written = yaml.safe_dump({"init": {}, "runtime": {"suggestions": [TPE, MINE]}})

    events = said_of(written, 2)

    assert {each["involvedObject"]["name"] for each in events} == {"katib-config"}
    assert {(each["type"], each["reason"]) for each in events} == {
        ("Warning", "ConfigurationIgnored")
    }
    assert sorted(each["message"].partition(":")[2] for each in events) == [
        " init: of it only kinds of trials, which are found without a list",
        " the image of tpe: it is built in",
    ]


def test_one_that_cannot_be_read_is_named_and_holds_nothing_up(said_of, caplog):
    (event,) = said_of("runtime: [1", 1)

    assert "katib-config.katib-config.yaml: is not a KatibConfig" in event["message"]
    assert "is not a KatibConfig" in caplog.text
