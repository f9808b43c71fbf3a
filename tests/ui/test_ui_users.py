"""The page of a cluster: each user sees and does what the API server lets that user."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from playwright.sync_api import expect
from support import command
from support.apiserver import NEEDED, REPOSITORY, ApiServer, kubeconfig_with, token_of
from support.operated import experiment

pytestmark = [*NEEDED, pytest.mark.needs("browser")]

DEPLOY = REPOSITORY / "deploy" / "components"
BASE = "/tunewright"
PROXIED = ("--base-path", f"{BASE}/", "--user-header", "kubeflow-userid",
           "--groups-header", "kubeflow-groups")  # fmt: skip
ADA, BOB = "ada@example.com", "bob@example.com"
PATH = "/apis/kubeflow.org/v1beta1/namespaces"


@dataclass(frozen=True)
class Cluster:
    """Two namespaces, an experiment in each. Ada may edit in the first; Bob may view both."""

    server: ApiServer
    first: str
    second: str
    kubeconfig: Path

    def bind(self, namespace: str, role: str, subject: dict[str, str]) -> None:
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"generateName": "test-"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        within = f"/namespaces/{namespace}/rolebindings" if namespace else "/clusterrolebindings"
        status, said = self.server.ask("POST", f"/apis/{group}/v1{within}", binding)
        assert status == 201, said

    def experiment(self, namespace: str) -> dict:
        _, found = self.server.ask("GET", f"{PATH}/{namespace}/experiments/e")
        return found


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


@pytest.fixture(scope="module")
def cluster(api_server, tmp_path_factory) -> Cluster:
    for name in ("base/namespace", "page/roles", "cluster-wide/identity", "roles/people"):
        folder = DEPLOY.parent if name.startswith(("base", "roles")) else DEPLOY
        api_server.kubectl("apply", "--filename", str(folder / f"{name}.yaml"))
    # Of Kubernetes' own roles: this server has nobody who puts roles together.
    looking = {"apiGroups": [""], "resources": ["events", "pods/log"], "verbs": ["get", "list"]}
    role = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1",
            "metadata": {"name": "view-pods"}, "rules": [looking]}  # fmt: skip
    api_server.kubectl("apply", "--filename", "-", given=json.dumps(role))
    token = token_of(api_server, "tunewright", "tunewright-page")
    config = kubeconfig_with(api_server, token, tmp_path_factory.mktemp("page"))
    made = Cluster(api_server, api_server.namespace(), api_server.namespace(), config)
    for namespace in (made.first, made.second):
        status, said = api_server.ask("POST", f"{PATH}/{namespace}/experiments", experiment())
        assert status == 201, said
        for role in ("tunewright-view", "view-pods"):
            made.bind(namespace, role, user(BOB))
    for role in ("tunewright-view", "tunewright-edit", "view-pods"):
        made.bind(made.first, role, user(ADA))
    return made


@contextmanager
def serving(cluster: Cluster, folder: Path, *options: str) -> Iterator[str]:
    """Serve the page with the account that is deployed for it; give its address."""
    words = ("serve", "page", "--host", "127.0.0.1", "--port", "0", *options)
    page = command.start(folder, *words, "--kubeconfig", str(cluster.kubeconfig), cwd=folder)
    with page:
        try:
            said = page.stdout.readline()
            assert said.startswith("serving on http://"), page.stderr.read()
            yield said.split()[-1].rstrip("/")
        finally:
            page.terminate()


@pytest.fixture(scope="module")
def url(cluster, tmp_path_factory) -> Iterator[str]:
    with serving(cluster, tmp_path_factory.mktemp("home"), *PROXIED) as address:
        yield address


@pytest.fixture
def ask(url):
    """Ask as the proxy does for a user; none where the name is empty."""

    def asking(method, path, user="", *, groups="", json=None, **headers):
        named = {"kubeflow-userid": user, "kubeflow-groups": groups} if user else {}
        sent = {**named, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return httpx.request(method, f"{url}{path}", headers=sent, json=json, timeout=60)

    return asking


def names(listed) -> set[str]:
    return {each["namespace"] for each in listed.json()["items"]}


def test_nobody_is_answered_before_it_is_known_who_asks(ask):
    refused = ask("GET", "/api/v1/experiments")

    assert refused.status_code == 401
    assert ask("GET", "/healthz").text == "ok\n"


def test_a_user_is_shown_the_experiments_of_the_namespaces_that_the_user_may_list(ask, cluster):
    of_ada, of_bob = ask("GET", "/api/v1/experiments", ADA), ask("GET", "/api/v1/experiments", BOB)

    assert names(of_ada) == {cluster.first}
    assert names(of_bob) == {cluster.first, cluster.second}
    assert names(ask("GET", "/api/v1/experiments", "eve@example.com")) == set()


def test_a_group_that_a_proxy_names_counts(ask, cluster):
    cluster.bind("", "tunewright-view", {**user("platform"), "kind": "Group"})

    listed = ask("GET", "/api/v1/experiments", "eve@example.com", groups="people, platform")

    assert {cluster.first, cluster.second} <= names(listed)


def test_what_a_user_may_not_see_is_refused_with_who_what_and_where(ask, cluster):
    refused = ask("GET", f"/api/v1/experiments/{cluster.second}/e", ADA)

    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    said = f"{ADA} may not get experiments.kubeflow.org in namespace {cluster.second}"
    assert refused.json()["detail"] == said


@pytest.mark.parametrize("path", ["/trials", "/columns", "/csv", "/live", "/events", "/explain"])
def test_no_way_round_leads_to_what_may_not_be_seen(ask, cluster, path):
    assert ask("GET", f"/api/v1/experiments/{cluster.second}/e{path}", ADA).status_code == 403


@pytest.mark.parametrize("up", ["%2E%2E", "..%252F..%252F{}%252Fexperiments%252Fe", "e%3Fx=y"])
def test_a_name_that_is_a_path_leads_nowhere(ask, cluster, up):
    path = f"/api/v1/experiments/{cluster.first}/{up.format(cluster.second)}"

    assert ask("GET", path, ADA).status_code in {404, 422}


@pytest.mark.parametrize("path", ["/experiments/{}/e", "/compare?e={}/e", "/new?like={}/e"])
def test_a_page_of_what_may_not_be_seen_says_so(ask, cluster, path):
    shown = ask("GET", path.format(cluster.second), ADA, accept="text/html")

    assert shown.status_code == 403
    assert "may not get experiments.kubeflow.org" in shown.text


@pytest.mark.parametrize("path", ["/compare?e={}/{}/e", "/new?like={}/{}/e"])
def test_behind_a_namespace_that_may_be_seen_stands_no_other(ask, cluster, path):
    shown = ask("GET", path.format(cluster.first, cluster.second), ADA, accept="text/html")

    assert shown.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [("POST", "/pause", "patch"), ("POST", "/stop", "patch"), ("POST", "/resume", "patch"),
     ("POST", "/trials/0/stop", "patch"), ("DELETE", "", "delete")],
)  # fmt: skip
def test_who_may_only_view_changes_nothing(ask, cluster, method, path, verb):
    api = f"/api/v1/experiments/{cluster.first}/e"

    assert ask("GET", api, BOB).status_code == 200
    refused = ask(method, f"{api}{path}", BOB)
    assert refused.status_code == 403
    assert f"{BOB} may not {verb} experiments.kubeflow.org" in refused.json()["detail"]


def test_who_may_edit_does_so_by_the_account_of_the_page(ask, cluster):
    paused = ask("POST", f"/api/v1/experiments/{cluster.first}/e/pause", ADA)

    assert paused.status_code == 200, paused.text
    assert cluster.experiment(cluster.first)["spec"]["suspend"] is True


def written(name: str, namespace: str | None) -> dict[str, str]:
    document = experiment(name)
    document["metadata"] |= {"namespace": namespace} if namespace else {}
    return {"text": yaml.safe_dump(document)}


def test_an_experiment_begins_where_its_user_may_create_one(ask, cluster):
    begun = ask("POST", "/api/v1/experiments", ADA, json=written("new", cluster.first))
    refused = ask("POST", "/api/v1/experiments", ADA, json=written("new", cluster.second))
    nowhere = ask("POST", "/api/v1/experiments", ADA, json=written("new", None))

    assert begun.status_code == 201, begun.text
    assert begun.headers["location"] == f"{BASE}/api/v1/experiments/{cluster.first}/new"
    assert ask("DELETE", begun.headers["location"].removeprefix(BASE), ADA).status_code == 200
    assert refused.status_code == 403
    assert f"may not create experiments.kubeflow.org in namespace {cluster.second}" in refused.text
    assert nowhere.json()["faults"][0]["path"] == "metadata.namespace"


def test_a_page_of_elsewhere_changes_nothing_in_a_user_s_name(ask, cluster):
    pause = f"/api/v1/experiments/{cluster.first}/e/pause"

    assert ask("POST", pause, ADA, origin="https://evil.example").status_code == 403
    assert ask("POST", pause, ADA, sec_fetch_site="same-site").status_code == 403
    assert ask("POST", pause, ADA, sec_fetch_site="same-origin").status_code == 200


def account(cluster: Cluster) -> str:
    """Make a service account that may view the first namespace; return its token."""
    place = f"/api/v1/namespaces/{cluster.first}/serviceaccounts"
    cluster.server.ask("POST", place, {"metadata": {"name": "viewer"}})
    subject = {"kind": "ServiceAccount", "name": "viewer", "namespace": cluster.first}
    for role in ("tunewright-view", "view-pods"):
        cluster.bind(cluster.first, role, subject)
    return token_of(cluster.server, cluster.first, "viewer")


def test_a_token_of_the_cluster_says_whose_it_is(ask, cluster):
    mine = {"authorization": f"Bearer {account(cluster)}"}

    assert names(ask("GET", "/api/v1/experiments", **mine)) == {cluster.first}
    changed = ask("POST", f"/api/v1/experiments/{cluster.first}/e/stop", **mine)
    assert f"system:serviceaccount:{cluster.first}:viewer may not patch" in changed.text
    assert ask("GET", "/api/v1/experiments", authorization="Bearer wrong").status_code == 401


def test_a_header_is_believed_only_where_a_proxy_is_named(cluster, tmp_path):
    with serving(cluster, tmp_path) as url:
        answered = httpx.get(
            f"{url}/api/v1/experiments", headers={"kubeflow-userid": ADA}, timeout=60
        )
    assert answered.status_code == 401


def test_a_prefix_before_the_user_s_name_is_taken_off(cluster, tmp_path):
    options = ("--user-header", "x-user", "--user-prefix", "accounts.example.com:")
    with serving(cluster, tmp_path, *options) as url:
        named = {"x-user": f"accounts.example.com:{ADA}"}
        listed = httpx.get(f"{url}/api/v1/experiments", headers=named, timeout=60)
    assert names(listed) == {cluster.first}


def links(text: str) -> list[str]:
    return re.findall(r'(?:href|src|action|data-api)="([^"]*)"', text)


def test_links_hold_the_base_path_whether_a_proxy_takes_it_away_or_not(ask, url):
    bare = url.removesuffix(BASE)
    taken = httpx.get(f"{bare}/", headers={"kubeflow-userid": BOB}, timeout=60)
    kept = ask("GET", "/", BOB)

    assert links(taken.text) == links(kept.text)
    assert all(each.startswith((f"{BASE}/", "#")) for each in links(kept.text))
    assert (
        httpx.get(url, headers={"kubeflow-userid": BOB}, timeout=60).headers["location"]
        == f"{BASE}/"
    )


@pytest.fixture
def opened(browser, url):
    """Open pages as somebody; all that they ask for must lie below the base path."""
    made, strangers, errors = [], [], []

    def open_page(path, **headers):
        context = browser.new_context(extra_http_headers=headers)
        made.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: strangers.append(request.url))
        page.goto(f"{url}{path}")
        return page

    yield open_page
    for context in made:
        context.close()
    assert errors == []
    assert [each for each in strangers if not each.startswith((url, "data:", "blob:"))] == []


def test_a_browser_finds_its_way_below_the_base_path(opened, cluster):
    page = opened("/", **{"kubeflow-userid": ADA})
    page.get_by_role("link", name="e", exact=True).click()
    expect(page.get_by_role("heading", name="e", exact=True)).to_be_visible()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    page.get_by_role("link", name="Clone").click()
    expect(page.locator("#verdict")).to_contain_text("is fine")
    page.get_by_role("link", name="Algorithms").click()
    expect(page.get_by_role("heading", name="Algorithms")).to_be_visible()


def test_a_person_without_a_proxy_enters_with_a_token_of_the_cluster(opened, cluster):
    page = opened(f"/experiments/{cluster.first}/e")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("This token is not valid")
    page.get_by_label("Token").fill(account(cluster))
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="e", exact=True)).to_be_visible()
    assert "token" not in page.url
