"""Single values of trials, through the API server, to whoever may read the trials."""

import asyncio
import contextlib
import itertools
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
import yaml
from support.apiserver import NEEDED, REPOSITORY, kubeconfig_of
from support.operated import experiment
from support.watching import seen
from tunewright.api.errors import Forbidden, Invalid
from tunewright.api.observation import Batch, Sample
from tunewright.controller.kube import observations_api
from tunewright.controller.kube.aggregation import API_SERVICES
from tunewright.controller.kube.observations import API_VERSION, GROUP, Cursor, Question
from tunewright.controller.kube.port import Resource
from tunewright.controller.kube.session import Context, connect

pytestmark = NEEDED

SERVICES = Resource("", "v1", "services")
VALUES = [("loss", 0.5 - place / 10, float(10 + place // 2), place) for place in range(5)]
API_SERVICE = "v1.observations.tunewright.dev"
SERVED = REPOSITORY / "deploy" / "components" / "observations" / "service.yaml"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextlib.asynccontextmanager
async def served(play, port):
    """Serve the values of a scene's store, at a Service that is this machine."""
    api_service, service, _ = yaml.safe_load_all(SERVED.read_text())
    service["metadata"]["namespace"] = play.namespace
    service["spec"] = {
        "type": "ExternalName",
        "externalName": "localhost",
        "ports": [{"port": port}],
    }
    api_service["spec"]["service"] |= {"namespace": play.namespace, "port": port}
    await play.kube.create(SERVICES, play.namespace, service)
    await play.kube.create(API_SERVICES, None, api_service)
    serving = observations_api.serve(play.kube, play.store, "127.0.0.1", port, clock=time.monotonic)
    task = asyncio.create_task(serving)
    play.running.append(task)

    async def available():
        there = await play.kube.get(API_SERVICES, None, api_service["metadata"]["name"])
        conditions = there.get("status", {}).get("conditions", ())
        return [each for each in conditions if each["status"] == "True"]

    try:
        await play.until(available, 60)
        yield
    finally:
        await play.kube.delete(API_SERVICES, None, api_service["metadata"]["name"])
        await play.leave(task)


@pytest.fixture
def with_values(on_cluster):
    """Play a scenario behind an experiment of one trial that reported five values more."""

    def play(scenario):
        async def whole(play, tunewright):
            await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
            await play.ends()
            (trial,) = await play.trials()
            name = trial["metadata"]["name"]
            uid, index = play.store.find_trial(name, play.namespace)
            samples = tuple(Sample(*each) for each in VALUES)
            play.store.record([Batch(uid, index, 1, "push", 0, samples)], now=1.0)
            port = free_port()
            async with served(play, port):
                return await scenario(play, tunewright, name, port)

        return on_cluster(whole)

    return play


def test_single_values_are_shown_where_they_are_served(with_values):
    async def scenario(play, tunewright, name, port):
        return await tunewright("metrics", "e", "0", "--log", "-o", "json")

    shown = with_values(scenario)
    assert shown.code == 0, shown.err
    assert [(each["metric"], each["value"], each["time"], each["step"]) for each in shown.json][
        -5:
    ] == VALUES


def test_an_api_service_that_was_made_anew_trusts_them_again(with_values, monkeypatch):
    monkeypatch.setattr(observations_api, "AGAIN_SECONDS", 0.1)

    async def scenario(play, tunewright, name, port):
        async def bundle():
            return (await play.kube.get(API_SERVICES, None, API_SERVICE))["spec"].get("caBundle")

        before = await bundle()
        await play.kube.merge(API_SERVICES, None, API_SERVICE, {"spec": {"caBundle": None}})
        after = await play.until(bundle)
        monkeypatch.undo()
        return before, after

    before, after = with_values(scenario)
    assert before == after


def test_a_port_that_another_program_still_has_is_tried_again(on_cluster, monkeypatch, caplog):
    monkeypatch.setattr(observations_api, "AGAIN_SECONDS", 0.1)

    async def scenario(play, tunewright):
        async def refused():
            return [each for each in caplog.messages if "single values are not served now" in each]

        async def let_go(other):
            told = await play.until(refused)
            other.close()
            return told

        other = socket.create_server(("127.0.0.1", 0))
        leaving = asyncio.create_task(let_go(other))
        async with served(play, other.getsockname()[1]):
            return await leaving

    assert "is taken by another program" in on_cluster(scenario)[0]


def test_the_page_draws_the_curves_of_single_values_where_they_are_served(with_values):
    async def scenario(play, tunewright, name, port):
        one = f"/api/v1/experiments/{play.namespace}/e"
        paths = [("GET", f"{one}/curves"), ("GET", f"{one}/trials/0/metrics")]
        return await asyncio.to_thread(seen, tunewright, paths)

    curves, samples = (answer.json() for answer in with_values(scenario))
    assert curves["curves"][0]["values"][-5:] == [value for _, value, _, _ in VALUES]
    assert samples["step"][-5:] == [step for _, _, _, step in VALUES]
    assert (curves["why"], samples["why"]) == ("", "")


def path_of(play, kind, name):
    return f"/apis/{API_VERSION}/namespaces/{play.namespace}/{kind}/{name}/metrics"


class _Counting:
    """A store of 250 trials that counts how many of them it was asked for."""

    def __init__(self):
        self.read = 0

    def trials(self, uid, *, after, limit=None):
        found = range(after + 1, 250)[:limit]
        self.read += len(found)
        return [SimpleNamespace(index=index) for index in found]


def test_a_page_of_values_reads_few_trials_more_than_it_shows():
    store = _Counting()
    first = list(itertools.islice(observations_api._trials(store, "e", 7), 120))
    assert [trial.index for trial in first] == [*range(7, 127)]
    assert store.read <= 200


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("continue", "0/1/1.0/-5"),
        ("continue", f"0/1/1.0/{10**20}"),
        ("continue", f"{10**20}/1/1.0/0"),
        ("continue", "0/1/nan/0"),
        ("attempt", "-1"),
        ("attempt", str(10**20)),
        ("limit", str(10**20)),
        ("since", "nan"),
        ("until", "inf"),
    ],
)
def test_a_number_that_no_database_takes_is_refused_by_the_name_of_its_parameter(name, text):
    with pytest.raises(Invalid, match=f"{name}: {text} is not a value of it"):
        Question.read({name: text})


def test_a_page_may_end_where_a_trial_begins():
    begun = Cursor(3, 1, float("-inf"), 0)
    assert Question.read({"continue": str(begun)}).after == begun


def test_pages_hold_every_value_once_and_in_order(with_values, api_server):
    def read(session, path):
        items, query = [], {"metric": "loss", "limit": "2", "since": "10"}
        while True:
            page = session.read(path, query)
            items += [each["step"] for each in page["items"]]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return items

    async def scenario(play, tunewright, name, port):
        session = connect(Context(str(api_server.kubeconfig)))
        asked = (("trials", name), ("experiments", "e"))
        return [await asyncio.to_thread(read, session, path_of(play, *each)) for each in asked]

    assert with_values(scenario) == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_who_may_not_read_the_trials_is_refused_by_name(with_values, api_server):
    async def scenario(play, tunewright, name, port):
        rules = [{"apiGroups": [GROUP], "resources": ["trials/metrics"], "verbs": ["get"]}]
        config = kubeconfig_of(api_server, play.namespace, tunewright.command.folder, rules)
        session = connect(Context(str(config)))
        with pytest.raises(Forbidden) as refused:
            await asyncio.to_thread(session.read, path_of(play, "trials", name), {})
        return str(refused.value)

    assert ":person may not get trials in namespace" in with_values(scenario)


def test_a_name_is_not_believed_without_the_certificate_of_the_proxy(with_values):
    def ask(url):
        trusting = ssl._create_unverified_context()
        request = urllib.request.Request(url, headers={"X-Remote-User": "admin"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, context=trusting, timeout=10)
        with refused.value as answer:
            return answer.code, json.load(answer)["message"]

    async def scenario(play, tunewright, name, port):
        url = f"https://localhost:{port}{path_of(play, 'trials', name)}"
        return await asyncio.to_thread(ask, url)

    assert with_values(scenario) == (403, "ask through the API server")


def test_what_a_trial_wrote_last_is_shown_when_its_pod_is_gone(with_values):
    async def scenario(play, tunewright, name, port):
        before = await tunewright("logs", "e", "0")
        uid, index = play.store.find_trial(name, play.namespace)
        play.store.keep_output(uid, index, 1, "stdout", b"epoch=1\nepoch=2\nloss=0.1\n")
        return (
            before,
            await tunewright("logs", "e", "0"),
            await tunewright(*("logs", "e", "0", "--tail", "1")),
        )

    before, whole, end = with_values(scenario)
    assert "its pod is gone" in before.err
    assert whole.out == "epoch=1\nepoch=2\nloss=0.1\n"
    assert end.out == "loss=0.1\n"
    assert "Its pod is gone; this is the end" in whole.err
