"""What a client promises wherever its experiments are: a laptop, a cluster, another machine.

`AsyncClient` calls `Client`, so that one place will do for it.
"""

import asyncio
import inspect
import json
import socketserver
import threading
from contextlib import nullcontext

import pytest
from support import places
from support.apiserver import NEEDED
from support.asked import asked
from support.command import ROOT
from support.waiting import until
from tunewright import AsyncClient, Client, Conflict, Invalid, NotFound
from tunewright.api.errors import Forbidden, ServerUnavailable, Unsupported

pytestmark = [pytest.mark.timeout(120), pytest.mark.needs("linux")]


class Awaited:
    """An `AsyncClient` whose verbs are awaited at once, in a loop of its own."""

    def __init__(self, client):
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __getattr__(self, name):
        verb = getattr(self._client, name)

        def call(*words, **options):
            made = verb(*words, **options)
            work = _listed(made) if inspect.isasyncgen(made) else made
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()

        return call

    def close(self):
        self.__getattr__("close")()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _listed(parts):
    return [part async for part in parts]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with places.served(tmp_path_factory.mktemp("server")) as place:
        yield place


@pytest.fixture(
    params=[
        pytest.param((Client, "laptop"), id="laptop"),
        pytest.param((Client, "server"), id="server"),
        pytest.param((AsyncClient, "laptop"), id="laptop, awaited"),
        pytest.param((Client, "cluster"), id="cluster", marks=NEEDED),
    ]
)
def there(request, tmp_path, monkeypatch):
    """A place, and a client of it."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))
    kind, name = request.param
    with _place(name, request, tmp_path) as place:
        made = kind(**place.options)
        client = made if kind is Client else Awaited(made)
        yield place, client
        for each in client.experiments():
            client.stop(each.name)
            client.wait(each.name, timeout=60)
            client.delete(each.name)
        client.close()


def _place(name, request, folder):
    match name:
        case "server":
            return nullcontext(request.getfixturevalue("server"))
        case "cluster":
            return places.cluster(request.getfixturevalue("api_server"), folder)
        case _:
            return places.laptop(folder)


@pytest.fixture
def place(there):
    return there[0]


@pytest.fixture
def client(there):
    return there[1]


@pytest.fixture
def running(client):
    """An experiment whose two trials run until they are ended."""
    client.create(places.document("waits", stays=True))
    until(lambda: len(client.trials("waits", state="Running")) == 2)
    return client.experiment("waits")


def test_what_was_begun_is_waited_for_and_looked_at(client, place):
    begun = client.create(places.document("e"))
    assert (begun.name, begun.data["document"]["kind"]) == ("e", "Experiment")
    ended = client.wait("e", timeout=60)
    assert (ended.state, ended.is_finished) == ("Succeeded", True)
    assert [each.name for each in client.experiments()] == ["e"]
    trials = client.trials("e")
    assert [(each.index, each.state) for each in trials] == [(k, "Succeeded") for k in range(4)]
    best = min(trials, key=lambda trial: trial.value)
    assert client.best("e") == client.trial("e", best.name) == client.trial("e", best.index) == best
    assert best.value == pytest.approx((best.parameters["x"] - 0.5) ** 2, rel=1e-3)
    assert client.trials("e", state="Failed") == []
    assert client.trial("e", "last").index == 3
    assert "ExperimentMaxTrialsReached" in {each["reason"] for each in client.events("e")}
    assert "max trial count has reached" in client.explain("e")
    result = client.result("e")
    assert result.best == best
    assert set(result.importance()) == {"x"}


def test_a_name_may_stand_behind_its_namespace(client):
    begun = client.create(places.document("e"))
    assert client.experiment(f"{begun.namespace}/e").name == "e"


def test_a_file_is_begun_as_a_document_is(client, tmp_path):
    (tmp_path / "e.json").write_text(json.dumps(places.document("filed")))
    assert client.create(tmp_path / "e.json").name == "filed"
    assert client.wait("filed", timeout=60).state == "Succeeded"
    with pytest.raises(Invalid, match="cannot be read"):
        client.create(tmp_path / "nothing.json")


def test_what_trials_reported_and_printed_is_at_hand_where_they_run(client, place):
    client.create(places.document("e"))
    client.wait("e", timeout=60)
    if not place.runs_processes:
        with pytest.raises(Unsupported):
            client.metrics("e")
        with pytest.raises(NotFound):
            client.logs("e")
        return
    best = client.best("e")
    (sample,) = client.metrics("e", metric="loss")
    assert (sample.metric, sample.value, sample.step) == ("loss", best.value, None)
    with pytest.raises(NotFound, match=r"no metric foo \(there are loss\)"):
        client.metrics("e", metric="foo")
    assert client.logs("e", best.index).startswith("started\nloss=")
    assert "".join(client.follow_logs("e", 0)) == client.logs("e", 0)


def test_waiting_gives_up_in_time(client, running):
    with pytest.raises(TimeoutError, match=r"waits is Running after 0\.1 s"):
        client.wait("waits", timeout=0.1)


def test_one_that_runs_is_paused_goes_on_is_stopped_and_deleted(client, running):
    client.pause("waits")
    until(lambda: client.experiment("waits").data["suspended"])
    client.resume("waits")
    until(lambda: not client.experiment("waits").data["suspended"])
    client.stop("waits")
    assert client.wait("waits", timeout=60).is_finished
    assert {each.state for each in client.trials("waits")} == {"Killed"}
    client.stop("waits")  # it is so already
    client.pause("waits")
    client.delete("waits")
    until(lambda: client.experiments() == [])


def test_single_trials_are_stopped_dropped_and_added(client, running):
    client.stop_trial("waits", 0)
    until(lambda: client.trial("waits", 0).state == "Killed")
    client.drop_trial("waits", 0)
    until(lambda: client.trial("waits", 0).data["dropped"])
    client.add_trial("waits", {"x": 1.5})
    until(lambda: 1.5 in {each.parameters["x"] for each in client.trials("waits")})
    client.retry_trial("waits", 1)
    until(lambda: client.trial("waits", 1).data["attempt"] == 2)
    with pytest.raises(Conflict, match="the trial has ended already"):
        client.stop_trial("waits", 0)
    with pytest.raises(Invalid, match="there is no parameter y"):
        client.add_trial("waits", {"x": 1.5, "y": 1})
    with pytest.raises(NotFound, match="has no trial 99"):
        client.drop_trial("waits", 99)


def test_a_budget_is_edited_while_its_experiment_runs(client, running):
    client.edit("waits", max_trials=3, parallel=3)
    until(lambda: len(client.trials("waits", state="Running")) == 3)
    assert client.experiment("waits").data["max_trials"] == 3
    client.edit("waits", max_duration="1h", retries=2, no_improvement=9)
    until(lambda: client.experiment("waits").data["document"]["spec"].get("maxDuration") == "1h")
    spec = client.experiment("waits").data["document"]["spec"]
    assert spec["trialPolicy"]["retries"] == 2
    assert spec["stopWhen"]["noImprovement"]["trials"] == 9
    with pytest.raises(Invalid, match=r"spec\.maxTrialCount"):
        client.edit("waits", max_trials=0)
    with pytest.raises(ValueError, match="nothing to change"):
        client.edit("waits")


def test_labels_and_a_note_are_written_on_it_and_taken_off(client):
    client.create(places.document("e"))
    client.wait("e", timeout=60)
    client.edit("e", labels={"team": "vision", "kind": "first"}, note="the learning rate matters")
    client.edit("e", labels={"kind": None})
    found = client.experiment("e").data
    assert (found["labels"], found["note"]) == ({"team": "vision"}, "the learning rate matters")


def test_what_is_not_there_is_not_found(client):
    client.create(places.document("e"))
    client.wait("e", timeout=60)
    for call in (
        lambda: client.experiment("f"),
        lambda: client.trials("f"),
        lambda: client.trial("e", 7),
        lambda: client.wait("f"),
        lambda: client.pause("f"),
        lambda: client.resume("f"),
        lambda: client.stop("f"),
        lambda: client.delete("f"),
        lambda: client.edit("f", max_trials=3),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(NotFound, match=r"did you mean e\?"):
        client.experiment("e1")
    with pytest.raises(ValueError, match="Succeded"):
        client.trials("e", state="Succeded")


def test_what_is_wrong_with_a_document_comes_as_faults(client):
    wrong = places.document("e", maxTrialCount=-1, parallelTrialCount=0)
    with pytest.raises(Invalid) as caught:
        client.create(wrong)
    paths = {fault.path for fault in caught.value.faults}
    assert paths == {"spec.maxTrialCount", "spec.parallelTrialCount"}
    assert all(fault.message for fault in caught.value.faults)
    assert {(fault.file, fault.line) for fault in caught.value.faults} == {(None, None)}
    with pytest.raises(Invalid, match="unknown algorithm name tpee"):
        client.create(places.document("e", algorithm={"algorithmName": "tpee"}))
    assert client.experiments() == []


def test_a_name_that_another_spec_has_is_a_conflict(client, running):
    with pytest.raises(Conflict, match="maxTrialCount"):
        client.create(places.document("waits", stays=True, maxTrialCount=9))


def test_points_are_asked_for_and_told_but_of_a_cluster(client, place):
    if not place.runs_processes:
        with pytest.raises(Invalid, match="a cluster runs its trials itself"):
            client.create(asked(trials=2))
        with pytest.raises(Unsupported, match="a cluster runs its trials itself"):
            client.ask("asked")
        return
    client.create(asked(trials=2))
    first = client.ask("asked")
    assert client.tell("asked", first, loss=0.5)
    second = client.ask("asked")
    with pytest.raises(TimeoutError, match="1 point given out"):
        client.ask("asked", timeout=0.1)
    with pytest.raises(Invalid, match="the objective is missing"):
        client.tell("asked", second, accuracy=1.0)
    assert client.tell("asked", second, failed="the pump leaks")
    assert client.ask("asked") is None
    assert [each.state for each in client.trials("asked")] == ["Succeeded", "Failed"]


def test_a_server_lets_in_those_who_have_its_token(server):
    stranger = Client(server=server.options["server"], token="wrong")
    with pytest.raises(Forbidden, match="token"):
        stranger.experiments()


def test_a_server_that_is_away_may_be_back_later():
    with pytest.raises(ServerUnavailable, match="does not answer"):
        Client(server="http://127.0.0.1:9", token="x").experiments()


def test_a_token_is_known_with_the_end_of_its_line_too(server):
    token = f"{server.options['token']}\n"
    assert Client(server=server.options["server"], token=token).experiments() is not None


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", Unsupported, "is it the address of a `tunewright ui`"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{", ServerUnavailable, "does not answer"),
        (b"SSH-2.0-OpenSSH\r\n", ServerUnavailable, "does not answer: SSH-2.0"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://x:1/y\r\n\r\n", Unsupported, "to http://x:1/y:"),
    ],
    ids=["a page", "half an answer", "no HTTP", "a way elsewhere"],
)
def test_what_is_no_server_of_ours_is_said_to_be_none(answer, error, said):
    class Stranger(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.handle_request).start()
        client = Client(server=f"http://127.0.0.1:{stranger.server_address[1]}", token="x")
        with pytest.raises(error, match=said):
            client.experiments()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"server": "http://x"}, "belong together"),
        ({"token": "x"}, "belong together"),
        ({"server": "file:///etc", "token": "x"}, "not the address of a server"),
        ({"server": "http://x:y", "token": "x"}, "not the address of a server"),
        ({"server": "http://", "token": "x"}, "not the address of a server"),
        ({"server": "http://x", "token": "a\nb"}, "the token has characters"),
        ({"store": "x.db", "cluster": True}, "name one"),
        ({"store": "x.db", "server": "http://x", "token": "x"}, "name one"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_of_no_place_or_of_several_is_refused(kind, options, said):
    with pytest.raises(ValueError, match=said):
        kind(**options)
