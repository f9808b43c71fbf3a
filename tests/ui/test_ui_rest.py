"""REST: what is answered is what the description says, and who is answered."""

import json
from contextlib import closing

import httpx
import pytest
from pydantic import TypeAdapter
from support.asked import asked
from tunewright import Client
from tunewright.api.documents import parse
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.db.sql import open_store
from tunewright.ui.rest import models

pytestmark = pytest.mark.xdist_group("page")
DONE = "/experiments/default/done"


@pytest.fixture(scope="module")
def ask(server):
    with server.client() as client:
        yield lambda path, method="GET", **given: client.request(method, server.api(path), **given)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/experiments", models.Experiments),
        (DONE, models.Experiment),
        (f"{DONE}/trials", models.Trials),
        (f"{DONE}/trials/best", models.Trial),
        (f"{DONE}/trials/3/attempts", list[models.Attempt]),
        (f"{DONE}/trials/3/metrics", models.Samples),
        (f"{DONE}/columns", models.Columns),
        (f"{DONE}/curves", models.Curves),
        (f"{DONE}/events", list[models.Event]),
        (f"{DONE}/explain", list[str]),
        ("/algorithms", list[models.Algorithm]),
        ("/early-stopping", list[models.Algorithm]),
    ],
)
def test_every_answer_is_as_its_model_says(ask, path, model):
    answered = ask(path)
    assert answered.status_code == 200
    TypeAdapter(model).validate_json(answered.content, strict=True)


def test_an_answer_that_is_known_is_not_sent_again(ask):
    for path in (DONE, f"{DONE}/columns", "/experiments?search=done"):
        tag = ask(path).headers["ETag"]
        assert ask(path, headers={"If-None-Match": tag}).status_code == 304
        assert ask(path, headers={"If-None-Match": f'"older", W/{tag}'}).status_code == 304
        assert ask(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_experiments_come_a_page_at_a_time_by_search_and_label(ask, server):
    for name in ("paged-1", "paged-2", "paged-3"):
        server.tune(name, trials=2)
    for name in ("paged-1", "paged-3"):
        assert ask(f"/experiments/default/{name}", "PATCH", json={"labels": {"team": "a"}})
    asked = {"search": "paged", "label": "team=a", "order": "name", "limit": 1}
    first = ask("/experiments", params=asked).json()
    rest = ask("/experiments", params={**asked, "offset": 1}).json()
    assert [each["name"] for each in (*first["items"], *rest["items"])] == ["paged-1", "paged-3"]
    assert first["total"] == rest["total"] == 2
    assert first["items"][0]["best"]["index"] == 0


def test_a_list_is_told_as_server_sent_events(ask, server):
    server.tune("heard", trials=2)
    with server.client() as client, client.stream("GET", server.api("/experiments/live")) as told:
        assert told.headers["Content-Type"].startswith("text/event-stream")
        lines = told.iter_lines()
        for word in ("first", "second"):
            ask("/experiments/default/heard", "PATCH", json={"note": word})
            line = next(each for each in lines if each.startswith("data:") and word in each)
            told_of = json.loads(line.removeprefix("data:"))["experiments"]
            assert {item["name"]: item["note"] for item in told_of}["heard"] == word


def test_trials_come_a_page_at_a_time_and_the_best_first_if_asked(ask):
    page = ask(f"{DONE}/trials", params={"order": "best", "offset": 1, "limit": 3}).json()
    everything = ask(f"{DONE}/trials").json()
    by_value = sorted(everything["items"], key=lambda trial: trial["value"])
    assert page["total"] == 8
    assert [each["index"] for each in page["items"]] == [each["index"] for each in by_value[1:4]]


def test_a_trial_of_what_has_ended_is_dropped_at_once(ask, server):
    server.tune("thinned", trials=2)
    path = "/experiments/default/thinned/trials/1"
    assert ask(f"{path}/drop", "POST").json() == {"message": "trial 1 is dropped"}
    assert ask(path).json()["dropped"] is True


def test_columns_after_a_position_hold_what_changed_since(ask):
    whole = ask(f"{DONE}/columns").json()
    assert (
        ask(f"{DONE}/columns", params={"after": whole["position"]}).json()["trials"]["index"] == []
    )
    assert whole["trials"]["index"] == list(range(8))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        (
            "GET",
            "/experiments/default/none",
            None,
            404,
            "no experiment is called none in namespace default",
        ),
        ("GET", f"{DONE}/trials/99", None, 404, "done has no trial 99"),
        ("GET", f"{DONE}/trials/{'9' * 5000}", None, 404, "its trials are 0 to 7"),
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("PATCH", DONE, {"labels": {"a b": "c"}}, 422, "cannot name a label"),
        ("PATCH", DONE, {"note": "x" * 9000}, 422, "8,192 at most"),
        ("PATCH", DONE, {}, 422, "there is nothing to change"),
        ("GET", "/experiments?limit=0", None, 422, "does not match the API description"),
        ("POST", f"{DONE}/pause", None, 409, "has ended already"),
        ("POST", f"{DONE}/trials/1/stop", None, 409, "the trial has ended already"),
        ("POST", f"{DONE}/trials/1/retry", None, 409, "raise its budget first"),
        ("PATCH", DONE, {"changes": {"algorithm": 1}}, 422, "can no longer be changed"),
        ("PATCH", DONE, {"changes": {"maxTrialCount": -1}}, 422, "maxTrialCount"),
        ("PATCH", DONE, {"changes": {"maxTrialCount": 10**22}}, 422, "at most 2,147,483,647"),
        ("GET", f"{DONE}/trials/1/metrics?metric=foo", None, 404, "no metric foo"),
        ("GET", "/experiments?label=team!=a", None, 422, "team!=a is not a label"),
        ("POST", "/experiments", {"text": "kind: Experiment"}, 422, "spec"),
        ("POST", "/experiments", {"text": ""}, 422, "the file is empty"),
    ],
)
def test_what_is_wrong_is_said_in_a_problem_document(ask, method, path, body, status, said):
    answered = ask(path, method, json=body)
    problem = models.Problem.model_validate_json(answered.content)
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert (answered.status_code, problem.status) == (status, status)
    assert said in problem.detail


def test_validate_names_every_fault_with_its_line(ask):
    head = "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: x}\n"
    text = f"{head}spec:\n  maxTrialCout: 3\n"
    verdict = ask("/validate", "POST", json={"text": text}).json()
    assert verdict["valid"] is False
    misspelt = next(f for f in verdict["faults"] if f["path"] == "spec.maxTrialCout")
    assert misspelt["line"] == 5
    assert "maxTrialCount" in misspelt["message"] + misspelt["remedy"]


def test_a_draft_is_a_file_that_validates(ask):
    short = {
        "name": "short",
        "command": "python train.py --lr {lr} --name 'two words'",
        "parameters": ["lr=log:1e-5..1e-1"],
        "metric": "accuracy",
        "type": "maximize",
        "trials": 5,
        "parallel": 2,
    }
    text = ask("/draft", "POST", json=short).json()["text"]
    assert "two words" in text
    assert ask("/validate", "POST", json={"text": text}).json()["experiments"] == ["short"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parameters": ["lr=1..2"]}, "may mean whole or real numbers"),
        ({"command": "python 'train"}, "close every quote"),
        ({"parameters": ["lr=0.0..1.0", "n=int:1..2"]}, "the command does not use it"),
    ],
)
def test_a_draft_that_says_no_experiment_is_refused(ask, change, said):
    short = {"name": "x", "command": "run {lr}", "parameters": ["lr=0.0..1.0"], "metric": "loss"}
    answered = ask("/draft", "POST", json=short | change)
    assert answered.status_code == 422
    assert said in answered.json()["detail"]


def test_a_log_is_read_on_behind_what_was_read_a_part_at_a_time(ask, server):
    server.tune("talks", trials=2)
    log = next(server.folder.glob("home/**/talks-*/**/stdout.1.log"))
    whole = b"0123456789abcdef" * (1 << 20)
    log.write_bytes(whole)
    path, parts = f"/experiments/default/talks/trials/{log.parent.name}/log", []
    while part := ask(f"{path}?after={sum(map(len, parts))}").content:
        parts.append(part)

    assert [len(part) for part in parts] == [8 << 20] * 2
    assert b"".join(parts) == whole


def test_a_log_is_text_and_an_export_is_a_table(ask):
    assert "epoch=5 loss=" in ask(f"{DONE}/trials/0/log").text
    lines = ask(f"{DONE}/csv").text.splitlines()
    assert lines[0].split(",")[:6] == ["trial", "name", "state", "loss", "lr", "opt"]
    assert len(lines) == 9


# Who is answered.


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 401),
        ("GET", {"Authorization": "Bearer of-somebody-else"}, 401),
        ("GET", {"Cookie": "tunewright-{port}=wrong"}, 401),
        ("GET", {"Cookie": "tunewright-{port}=of-the-tests"}, 200),
        ("GET", {"Cookie": 'a b=1; c="; tunewright-{port}=of-the-tests'}, 200),
        ("GET", {"Cookie": "tunewright-{port}=of-the-tests", "Host": "evil.example"}, 421),
        ("GET", {"Authorization": "Bearer of-the-tests", "Host": "evil.example:{port}"}, 421),
        (
            "POST",
            {"Cookie": "tunewright-{port}=of-the-tests", "Origin": "http://evil.example"},
            403,
        ),
        ("POST", {"Cookie": "tunewright-{port}=of-the-tests", "Origin": "null"}, 403),
        (
            "POST",
            {"Cookie": "tunewright-{port}=of-the-tests", "Sec-Fetch-Site": "cross-site"},
            403,
        ),
        (
            "POST",
            {"Cookie": "tunewright-{port}=of-the-tests", "Origin": "http://127.0.0.1:{port}"},
            409,
        ),
    ],
)
def test_only_those_with_the_token_and_from_here_are_answered(server, method, headers, status):
    port = server.url.rpartition(":")[2]
    sent = {name: value.format(port=port) for name, value in headers.items()}
    path = f"{DONE}/pause" if method == "POST" else DONE
    assert httpx.request(method, server.api(path), headers=sent).status_code == status


def test_the_token_in_the_address_becomes_a_cookie_that_no_script_can_read(server):
    entered = httpx.get(f"{server.url}/?token=of-the-tests&page=1", timeout=60)
    assert (entered.status_code, entered.headers["Location"]) == (303, "/?page=1")
    cookie = entered.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_person_is_answered_with_pages(ask, server):
    for path, status, said in (
        ("/?page=0", 422, "query.page: Input should be greater than or equal to 1"),
        ("/experiments/default/none", 404, "no experiment is called none"),
    ):
        with server.client() as client:
            answered = client.get(f"{server.url}{path}", headers={"Accept": "text/html"})
        assert (answered.status_code, said in answered.text) == (status, True)
        assert answered.headers["Content-Type"].startswith("text/html")


def test_a_trial_of_what_has_ended_is_not_offered_to_run_again(server):
    with server.client() as client:
        shown = client.get(f"{server.url}{DONE}/trials/1", headers={"Accept": "text/html"}).text
    assert "Drop</button>" in shown
    assert "Run again" not in shown


def test_what_is_compared_beyond_eight_is_said_to_be_left_out(ask, server):
    for number in range(8):
        server.tune(f"beside-{number}", trials=2)
    names = "&".join(f"e=default/beside-{number}" for number in range(8))
    with server.client() as client:
        whole = client.get(f"{server.url}/compare?{names}").text
        more = client.get(f"{server.url}/compare?{names}&e=default/done").text
    assert "left-out" not in whole
    assert "the first 8 of 9" in more


def test_nobody_can_redirect_elsewhere_by_a_path(server):
    entered = httpx.get(f"{server.url}//evil.example?token=of-the-tests", timeout=60)
    assert entered.headers["Location"] == "/evil.example"


def test_every_answer_forbids_what_comes_from_elsewhere(server):
    for path in ("/", "/static/app.css", "/api/v1/experiments"):
        headers = httpx.get(server.url + path, timeout=60).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


# What is told while it runs.


def test_a_watcher_is_told_every_trial_that_ends(server, ask):
    server.tune("told", trials=5, pause=0.1, detach=True)
    known: dict[int, str] = {}
    with (
        server.client() as client,
        client.stream("GET", server.api("/experiments/default/told/live")) as stream,
    ):
        position = 0
        for line in stream.iter_lines():
            if not line.startswith("data: "):
                continue
            change = json.loads(line.removeprefix("data: "))
            if change["since"] > position:
                whole = ask("/experiments/default/told/columns").json()
                known |= dict(zip(whole["trials"]["index"], whole["trials"]["state"], strict=True))
            trials = change["trials"]
            known |= dict(zip(trials["index"], trials["state"], strict=True))
            position = change["position"]
            if change["experiment"]["state"] == "Succeeded":
                break
    assert known == dict.fromkeys(range(5), "Succeeded")


@pytest.fixture(scope="module")
def long_log(server):
    """A trial that reported more than one answer holds, many values at the same moment."""
    key, document = ExperimentKey("default", "long"), parse(asked(name="long")).write()
    with closing(open_store(server.folder / "home" / "store.db")) as store:
        uid = store.create_experiment(key, document, seed=1, workdir="/", now=1.0).uid
        store.propose(uid, 0, [("long-0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
        store.start_attempt(uid, 0, 1, token="t", now=1.0)
        samples = tuple(Sample("loss", float(step), step // 15_000, step) for step in range(45_000))
        store.record([Batch(uid, 0, 1, "stdout", 0, samples)], now=1.0)
        yield "/experiments/default/long/trials/0"
        store.delete_experiment(uid)


def test_a_long_log_is_read_on_where_an_answer_ended(ask, long_log):
    whole, given = [], {}
    while True:
        answer = ask(f"{long_log}/metrics", params=given).json()
        whole += answer["step"]
        if not answer["more"]:
            break
        since = answer["at"][-1]
        given = {"since": since, "skip": sum(step // 15_000 == since for step in whole)}
    assert whole == list(range(45_000))


def test_a_client_elsewhere_reads_a_long_log_whole(server, long_log):
    samples = Client(server=server.url, token="of-the-tests").metrics("long", 0)
    assert [sample.step for sample in samples] == list(range(45_000))


def test_a_watcher_of_what_is_deleted_is_told_so(server, ask):
    server.tune("short-lived", trials=2)
    with (
        server.client() as client,
        client.stream("GET", server.api("/experiments/default/short-lived/live")) as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == "event: change"
        assert ask("/experiments/default/short-lived", "DELETE").status_code == 200
        assert "event: gone" in lines


def test_a_watcher_is_told_of_a_deletion_though_another_has_the_name_by_now(server):
    key, document = ExperimentKey("default", "namesake"), parse(asked(name="namesake")).write()
    with closing(open_store(server.folder / "home" / "store.db")) as store:
        first = store.create_experiment(key, document, seed=1, workdir="/", now=1.0)
        with (
            server.client() as client,
            client.stream("GET", server.api("/experiments/default/namesake/live")) as stream,
        ):
            events = (line for line in stream.iter_lines() if line.startswith("event"))
            assert next(events) == "event: change"
            store.delete_experiment(first.uid)
            store.create_experiment(key, document, seed=2, workdir="/", now=2.0)
            assert next(events) == "event: gone"
