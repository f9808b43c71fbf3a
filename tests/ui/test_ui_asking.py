"""Ask and tell over REST, as other machines do it, against a real server."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import TypeAdapter
from support.asked import asked
from tunewright import Client, Invalid, NotFound
from tunewright.api.errors import Forbidden, Unsupported
from tunewright.ui.rest import models

pytestmark = pytest.mark.xdist_group("page")


@pytest.fixture(scope="module")
def web(server):
    with server.client() as client:
        yield client


@pytest.fixture
def remote(server, web):
    """Begin an experiment on the server, and return it as another machine sees it."""
    token = web.headers["Authorization"].removeprefix("Bearer ")

    def begin(name, **spec):
        return Client(server=server.url, token=token).create(asked(name, **spec))

    yield begin
    for each in web.get(server.api("/experiments")).json()["items"]:
        if each["name"] != "done":
            web.delete(server.api(f"/experiments/default/{each['name']}"))


def test_machines_share_an_experiment_to_its_end(remote, server, web):
    experiment = remote("shared", trials=9)

    def work(_):
        count = 0
        while (point := experiment.ask()) is not None:
            assert experiment.tell(point, loss=point.parameters["x"], steps=2)
            count += 1
        return count

    with ThreadPoolExecutor(3) as workers:
        assert sum(workers.map(work, range(3))) == 9
    shown = web.get(server.api("/experiments/default/shared")).json()
    assert (shown["state"], shown["trials"]["Succeeded"]) == ("Succeeded", 9)


def test_what_is_answered_is_as_the_models_say(remote, server, web):
    remote("typed")
    asking = web.post(server.api("/experiments/default/typed/ask"))
    point = TypeAdapter(models.Answer).validate_json(asking.content, strict=True).point
    told = {"index": point.index, "token": point.token, "metrics": {"loss": "NaN"}}
    telling = web.post(server.api("/experiments/default/typed/tell"), json=told)
    assert TypeAdapter(models.Told).validate_json(telling.content, strict=True).counts


def test_a_failure_and_what_is_no_finite_number_arrive(remote, server, web):
    experiment = remote("odd")
    assert experiment.tell(experiment.ask(), failed="the pump leaks")
    assert experiment.tell(experiment.ask(), loss=math.inf)
    trials = web.get(server.api("/experiments/default/odd/trials")).json()["items"]
    assert [(each["state"], each["value"]) for each in trials] == [
        ("Failed", None),
        ("Succeeded", "Infinity"),
    ]


def test_a_point_that_is_not_told_goes_to_another_machine(remote):
    experiment = remote("leased", trials=1, askTell={"leaseSeconds": 0.5})
    lost = experiment.ask()
    again = experiment.ask(timeout=20)
    assert (again.index, again.attempt) == (lost.index, 2)
    assert not experiment.tell(lost, loss=1.0)
    assert experiment.tell(again, loss=1.0)
    assert experiment.ask() is None


def test_what_the_server_refuses_is_raised_as_what_it_is(remote, server, web):
    experiment = remote("strict", trials=1)
    point = experiment.ask()
    with pytest.raises(TimeoutError, match="1 point given out"):
        experiment.ask(timeout=0.1)
    with pytest.raises(Invalid, match="the objective is missing") as caught:
        experiment.tell(point, accuracy=1.0)
    assert [fault.path for fault in caught.value.faults] == ["loss"]
    token = web.headers["Authorization"].removeprefix("Bearer ")
    for name, key, kind in [
        ("nothing", token, NotFound),
        ("done", token, Unsupported),
        ("strict", "wrong", Forbidden),
    ]:
        with pytest.raises(kind):
            Client(server=server.url, token=key).ask(name)
