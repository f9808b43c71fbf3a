"""The page in a pod: reached as docs/cluster.md says, by people with tokens of the API server."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cluster.experiments import PRODUCT, experiment, shell
from cluster.node.layout import FRONT
from support.waiting import until

if TYPE_CHECKING:
    from cluster.conftest import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

STEPS = "for step in 3 2 1; do echo loss=$step; sleep 0.2; done; echo done: ${trialParameters.lr}"
PATIENT = f"{STEPS}; sleep 600"


@contextmanager
def forwarded(cluster: "Namespace") -> Iterator[str]:
    """Forward a free port of this machine to the page; give its address."""
    words = ("port-forward", "--namespace", PRODUCT, "svc/tunewright-page", ":80")
    program, config = FRONT / "bin" / "kubectl", f"--kubeconfig={cluster.kubeconfig}"
    with subprocess.Popen([program, config, *words], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield f"http://{running.stdout.readline().split()[2]}"
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def address(product, cluster) -> Iterator[str]:
    with forwarded(cluster) as found:
        yield found


@dataclass(frozen=True)
class Person:
    """Someone with a token, who asks the page about one namespace."""

    address: str
    token: str
    namespace: str

    def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.address}/api/v1{path}"
        return httpx.request(method, url, headers=headers, timeout=60, **sent)

    def experiment(self, name: str, rest: str = "") -> Any:
        answered = self.ask("GET", f"/experiments/{self.namespace}/{name}{rest}")
        assert answered.status_code == 200, answered.text
        return answered.json()

    def begin(self, name: str, script: str) -> httpx.Response:
        document = experiment(name, shell(script))
        document["metadata"]["namespace"] = self.namespace
        return self.ask("POST", "/experiments", json={"text": json.dumps(document)})


@pytest.fixture
def someone(address, namespace):
    """Give a service account one of Kubernetes' own roles in a namespace."""

    def given(role: str) -> Person:
        namespace.kubectl("create", "serviceaccount", role)
        account = f"--serviceaccount={namespace.name}:{role}"
        namespace.kubectl("create", "rolebinding", role, f"--clusterrole={role}", account)
        token = namespace.kubectl("create", "token", role).strip()
        return Person(address, token, namespace.name)

    return given


def test_nobody_is_answered_without_a_token(address):
    assert Person(address, "", "default").ask("GET", "/experiments").status_code == 401
    assert Person(address, "guessed", "default").ask("GET", "/experiments").status_code == 401


def test_who_may_edit_begins_an_experiment_and_sees_it_through(someone):
    editor = someone("edit")

    begun = editor.begin("search", STEPS)
    assert begun.status_code == 201, begun.text
    until(lambda: editor.experiment("search")["state"] == "Succeeded", seconds=120)

    metrics = editor.experiment("search", "/trials/0/metrics")
    log = editor.ask("GET", f"/experiments/{editor.namespace}/search/trials/0/log").text
    assert (metrics["why"], metrics["value"]) == ("", [3, 2, 1])
    assert log.splitlines()[:3] == ["loss=3", "loss=2", "loss=1"]
    (curve,) = editor.experiment("search", "/curves")["curves"]
    assert curve["values"] == [3, 2, 1]
    assert editor.experiment("search", "/events")


def test_who_may_edit_ends_what_runs_and_takes_it_away(someone, namespace):
    editor = someone("edit")
    assert editor.begin("search", PATIENT).status_code == 201
    until(lambda: editor.experiment("search")["state"] == "Running", seconds=120)

    path = f"/experiments/{editor.namespace}/search"
    stopped = editor.ask("POST", f"{path}/stop")
    assert stopped.status_code == 200, stopped.text
    until(lambda: namespace.get("experiment", "search")["status"].get("completionTime"), seconds=60)
    deleted = editor.ask("DELETE", path)

    assert deleted.status_code == 200, deleted.text
    until(lambda: namespace.tried("get", "experiment", "search").returncode != 0, seconds=60)


def test_who_may_view_sees_and_changes_nothing(someone):
    viewer = someone("view")

    refused = viewer.begin("search", STEPS)

    assert refused.status_code == 403
    assert viewer.ask("GET", "/experiments").json()["items"] == []
    assert viewer.ask("GET", "/experiments/default/search").status_code == 403
