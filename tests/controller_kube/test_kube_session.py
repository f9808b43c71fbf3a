"""Which cluster a person's connection is to, where no kubeconfig says so."""

import asyncio
import socket
import threading
from urllib.parse import urlsplit

import pytest
from kubernetes.client import Configuration
from kubernetes.config import incluster_config
from support.apiserver import NEEDED
from support.proxy import WebProxy
from tunewright.api.errors import Invalid, ServerUnavailable
from tunewright.controller.kube import session
from tunewright.controller.kube.port import Resource, Selection
from tunewright.controller.kube.session import Context, connect

pytestmark = NEEDED

NAMESPACES = Resource("", "v1", "namespaces")


@pytest.fixture
def pod(api_server, tmp_path, monkeypatch):
    """Be in a pod: its environment, and the folder of its account, still empty."""
    address = urlsplit(api_server.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", address.hostname)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    folder = tmp_path / "account"
    folder.mkdir()
    monkeypatch.setattr(session, "_ACCOUNT", folder)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    return folder


def test_a_pod_without_a_kubeconfig_means_the_cluster_that_it_runs_in(api_server, pod):
    (pod / "token").write_text(api_server.token)
    (pod / "namespace").write_text("team-a")
    (pod / "ca.crt").write_bytes(api_server.certificate.read_bytes())

    inside = connect(Context())

    assert inside.namespace == "team-a"
    assert list(inside.list(Selection(NAMESPACES)))


def test_a_kubeconfig_is_meant_before_the_pod_s_own_cluster(api_server, pod):
    config = pod.parent / ".kube" / "config"
    config.parent.mkdir()
    config.write_text(api_server.kubeconfig.read_text())

    assert connect(Context()).context == "test"


def test_a_kubeconfig_may_be_named_after_the_library_was_loaded(api_server, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))

    assert connect(Context()).context == "test"


def test_a_server_is_reached_by_the_proxy_of_the_environment(api_server, monkeypatch):
    async def scene():
        async with WebProxy(api_server) as between:
            monkeypatch.setenv("HTTPS_PROXY", between.url)
            person = connect(Context(kubeconfig=str(between.kubeconfig)))
            await asyncio.to_thread(person.get, NAMESPACES, None, "default")
            return between.asked_for

    assert asyncio.run(scene()) == ["api.example.org:6443"]


def test_a_pod_without_a_token_is_told_what_to_do(pod):
    with pytest.raises(Invalid, match="give the pod a service account's token"):
        connect(Context())


@pytest.fixture
def silent_server():
    """Answer one request, and send nothing after that."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def answer():
            connection, _ = server.accept()
            taken.append(connection)
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        answering.join()
        for connection in taken:
            connection.close()


def test_a_watch_that_falls_silent_is_told_as_a_server_that_is_away(silent_server, monkeypatch):
    monkeypatch.setattr(session, "SILENCE", 0.1)
    watching = session.Session(Configuration(host=silent_server), "test", "default")

    with pytest.raises(ServerUnavailable, match="cannot be reached"):
        next(watching.watch(Selection(NAMESPACES), "1", 600))


def test_what_a_person_writes_by_it_is_said_to_be_ours(api_server):
    space, maps = api_server.namespace(), Resource("", "v1", "configmaps")
    person = connect(Context(kubeconfig=str(api_server.kubeconfig)))
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}

    made = person.create(maps, space, {**head, "data": {"b": "2"}})
    person.merge(maps, made, {"data": {"a": "1"}})

    managed = api_server.ask("GET", maps.path(space, "m"))[1]["metadata"]["managedFields"]
    assert {each["manager"] for each in managed} == {"tunewright"}
