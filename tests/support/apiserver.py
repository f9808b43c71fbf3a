"""A real API server for the tests: etcd and kube-apiserver on loopback, in a temporary folder."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cluster.node.build import built

from .certificates import self_signed
from .waiting import until

REPOSITORY = Path(__file__).parents[2]

NEEDED = [pytest.mark.needs("apiserver"), pytest.mark.xdist_group("apiserver")]
"""Marks of the tests that use it: one worker runs them all, so that it is started once."""
START_SECONDS = 60


@dataclass(frozen=True)
class ApiServer:
    """A server that runs, and its administrator."""

    url: str
    token: str
    certificate: Path
    folder: Path
    programs: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def ask(
        self, method: str, path: str, body: Any = None, /, **query: str
    ) -> tuple[int, dict[str, Any]]:
        """Send one request; return the status and what came back."""
        request = urllib.request.Request(
            f"{self.url}{path}?{urlencode(query)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        try:
            with urllib.request.urlopen(request, context=trusted, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read()
            return error.code, json.loads(said) if said.startswith(b"{") else {}

    def kubectl(self, *words: str, given: str = "") -> str:
        command = [str(self.programs / "kubectl"), "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self) -> None:
        """Install the custom resource definitions; wait until they are served and described."""
        self.kubectl("apply", "--server-side", "-k", str(REPOSITORY / "deploy" / "crds"))
        self.kubectl("wait", "--for=condition=established", "crd", "--all")
        group = "/apis/kubeflow.org/v1beta1"
        until(lambda: self.ask("GET", f"/openapi/v3{group}")[0] == 200)
        for path in (f"{group}/experiments", f"{group}/suggestions", f"{group}/trials"):
            # The watch cache of a kind begins with the first request for it.
            until(partial(self._lists, path))

    def _lists(self, path: str) -> bool:
        return self.ask("GET", path, resourceVersion="0")[0] == 200

    def namespace(self) -> str:
        """Make a namespace, and return its name."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        status, said = self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status == 201, said
        return name


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Run a server; nothing of it is left."""
    found = built()
    assert found, "kube-apiserver is not built"
    folder = Path(tempfile.mkdtemp(prefix="tw-"))
    certificate, key = self_signed(folder)
    token = uuid.uuid4().hex
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    (folder / "tokens.csv").chmod(0o600)
    port, store, peer = _free_ports(3)
    server = ApiServer(f"https://localhost:{port}", token, certificate, folder, found)
    server.kubeconfig.write_text(_kubeconfig(server))
    etcd = [
        *(str(found / "etcd"), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
        *_same(f"http://127.0.0.1:{store}", "listen-client-urls", "advertise-client-urls"),
        *_same(f"http://127.0.0.1:{peer}", "listen-peer-urls", "initial-advertise-peer-urls"),
        *("--initial-cluster", f"default=http://127.0.0.1:{peer}", "--log-level", "warn"),
    ]
    apiserver = [
        *(str(found / "kube-apiserver"), "--etcd-servers", f"http://127.0.0.1:{store}"),
        *("--bind-address", "127.0.0.1", "--secure-port", str(port)),
        *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"),
        *("--tls-cert-file", str(certificate), "--tls-private-key-file", str(key)),
        *("--token-auth-file", str(folder / "tokens.csv")),
        *("--service-account-issuer", "https://localhost"),
        *_same(str(key), "service-account-key-file", "service-account-signing-key-file"),
        # It is its own authority towards those that stand behind it.
        *_same(str(certificate), "requestheader-client-ca-file", "proxy-client-cert-file"),
        *("--proxy-client-key-file", str(key), "--requestheader-allowed-names", "localhost"),
        *("--requestheader-username-headers", "X-Remote-User"),
        *("--requestheader-group-headers", "X-Remote-Group"),
    ]
    try:
        with _running(etcd, folder) as first, _running(apiserver, folder) as second:
            _await(server, [first, second])
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _same(value: str, *flags: str) -> Iterator[str]:
    for flag in flags:
        yield from (f"--{flag}", value)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def kubeconfig_of(
    server: ApiServer, namespace: str, folder: Path, rules: Sequence[Mapping[str, Any]]
) -> Path:
    """Make a person of a namespace who may do what rules say and no more; return the kubeconfig."""
    path, roles = f"/api/v1/namespaces/{namespace}", "/apis/rbac.authorization.k8s.io/v1"
    metadata = {"name": "person"}
    server.ask("POST", f"{path}/serviceaccounts", {"metadata": metadata})
    below = f"{roles}/namespaces/{namespace}"
    server.ask("POST", f"{below}/roles", {"metadata": metadata, "rules": list(rules)})
    group = "rbac.authorization.k8s.io"
    reference = {"apiGroup": group, "kind": "Role", "name": "person"}
    subjects = [{"kind": "ServiceAccount", "name": "person", "namespace": namespace}]
    binding = {"metadata": metadata, "roleRef": reference, "subjects": subjects}
    server.ask("POST", f"{below}/rolebindings", binding)
    return kubeconfig_with(server, token_of(server, namespace, "person"), folder, namespace)


def token_of(server: ApiServer, namespace: str, account: str) -> str:
    """Return a token of a service account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    status, said = server.ask("POST", path, {"spec": {"expirationSeconds": 3600}})
    assert status == 201, said
    return str(said["status"]["token"])


def kubeconfig_with(
    server: ApiServer, token: str, folder: Path, namespace: str = "default"
) -> Path:
    """Write the kubeconfig of whoever has a token."""
    config = folder / "person.kubeconfig"
    config.write_text(_kubeconfig(replace(server, token=token), namespace))
    return config


def _kubeconfig(server: ApiServer, namespace: str = "default") -> str:
    def one(name: str, what: str, value: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"name": name, what: value}]

    context = {"cluster": "test", "user": "admin", "namespace": namespace}
    cluster = {"server": server.url, "certificate-authority": str(server.certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": one("test", "cluster", cluster),
        "users": one("admin", "user", {"token": server.token}),
        "contexts": one("test", "context", context),
        "current-context": "test",
    }
    return json.dumps(config)


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        # Memory is there, cores are few: garbage is collected seldom.
        environment = {**os.environ, "GOGC": "400"}
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        yield process
    finally:
        process.kill()  # what it holds is thrown away
        process.wait()


def _await(server: ApiServer, running: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(server):
        ended = any(process.poll() is not None for process in running)
        if ended or time.monotonic() > deadline:
            logs = [log.read_text(errors="replace")[-2000:] for log in server.folder.glob("*.log")]
            raise AssertionError("\n".join(logs))
        time.sleep(0.05)


def _is_ready(server: ApiServer) -> bool:
    """Whether it answers, and has made the namespace that everything expects."""
    try:
        return server.ask("GET", "/api/v1/namespaces/default")[0] == 200
    except OSError:
        return False
