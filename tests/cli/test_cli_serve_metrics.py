"""The metrics service as a cluster runs it, with callers that the API server vouches for."""

import contextlib
import signal

import grpc
import pytest
from support.certificates import self_signed
from support.forked import Forked
from tunewright.controller.kube import labels
from tunewright.proto import tunewright_pb2, tunewright_pb2_grpc


@pytest.fixture
def served(tunewright):
    """Start `tunewright serve metrics …` on two ports; give them. It ends well by SIGTERM."""
    with contextlib.ExitStack() as ends:

        def start(*words):
            ports = ("--host", "localhost", "--port", "0", "--plain-port", "0")
            process = tunewright.start("serve", "metrics", *ports, *words)
            ends.callback(end, process)
            lines = [process.stdout.readline() for _ in range(2)]
            return [line.removeprefix("serving on ").strip() for line in lines]

        yield start


def end(process: Forked) -> None:
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def stops(channel: grpc.Channel, token: str = "") -> grpc.StatusCode:
    """Ask as an operator does; return what comes of it."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    stub = tunewright_pb2_grpc.ArchiveStub(channel)
    try:
        stub.Stops(tunewright_pb2.StopsRequest(), metadata=metadata)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def report(channel: grpc.Channel, token: str) -> str:
    """Report for a trial that is not there; return what is said."""
    request = tunewright_pb2.ReportRequest(trial="digits-0", attempt=1, source="StdOut")
    stub = tunewright_pb2_grpc.MetricsStub(channel)
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.Report(iter([request]), metadata=[("authorization", f"Bearer {token}")]))
    return refused.value.details()


@pytest.mark.needs("apiserver")
@pytest.mark.needs("openssl")
@pytest.mark.xdist_group("apiserver")
def test_callers_are_who_their_tokens_say_on_both_ports(served, api_server, tmp_path):
    namespace = api_server.namespace()
    path = f"/api/v1/namespaces/{namespace}"
    for name in ("default", "operator"):
        api_server.ask("POST", f"{path}/serviceaccounts", {"metadata": {"name": name}})
    pod = {
        "metadata": {"name": "worker", "labels": {labels.TRIAL: "digits-0"}},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    uid = api_server.ask("POST", f"{path}/pods", pod)[1]["metadata"]["uid"]

    def token(account, **bound):
        spec = {"audiences": ["tunewright"], "expirationSeconds": 600, **bound}
        asked = f"{path}/serviceaccounts/{account}/token"
        return api_server.ask("POST", asked, {"spec": spec})[1]["status"]["token"]

    operator = token("operator")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "worker", "uid": uid}
    worker = token("default", boundObjectRef=bound)
    certificate, key = self_signed(tmp_path)
    secure, plain = served(
        *("--cluster", "--kubeconfig", api_server.kubeconfig),
        *("--operator-account", f"{namespace}:operator"),
        *("--tls-cert", certificate, "--tls-key", key),
    )
    trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
    with (
        grpc.secure_channel(secure, trusted) as tls,
        grpc.insecure_channel(plain) as open_,
    ):
        for channel in (tls, open_):
            assert stops(channel, operator) is grpc.StatusCode.OK
            assert stops(channel, "forged") is grpc.StatusCode.PERMISSION_DENIED
            assert stops(channel) is grpc.StatusCode.PERMISSION_DENIED
            assert stops(channel, worker) is grpc.StatusCode.PERMISSION_DENIED
            assert report(channel, worker) == "there is no trial digits-0"


@pytest.mark.needs("apiserver")
@pytest.mark.xdist_group("apiserver")
@pytest.mark.parametrize(("account", "code"), [("operator", "OK"), ("other", "PERMISSION_DENIED")])
def test_for_some_namespaces_the_operator_is_known_by_its_pod_s_address(
    api_server, served, tmp_path, account, code
):
    namespace = api_server.namespace()
    path = f"/api/v1/namespaces/{namespace}"
    api_server.ask("POST", f"{path}/serviceaccounts", {"metadata": {"name": account}})
    for name, address in (("new", "::1"), ("old", "127.0.0.1")):  # whichever this machine calls by
        spec = {"serviceAccountName": account, "containers": [{"name": "main", "image": "none"}]}
        pod = {"metadata": {"name": name}, "spec": spec}
        made = api_server.ask("POST", f"{path}/pods", pod)[1]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        api_server.ask("PUT", f"{path}/pods/{name}/status", {**made, "status": status})
    config = tmp_path / "config.yaml"
    config.write_text(f"namespaces: [{namespace}]")

    _, plain = served(
        *("--cluster", "--kubeconfig", api_server.kubeconfig, "--config", config),
        *("--operator-account", f"{namespace}:operator"),
    )
    with grpc.insecure_channel(plain) as channel:
        assert stops(channel, "unreviewed") is grpc.StatusCode[code]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["--cluster"], "--operator-account", id="an operator without a name"),
        pytest.param(
            ["--cluster", "--operator-account", "ns:op", "--token-file", "token"],
            "--token-file",
            id="two ways to know callers",
        ),
        pytest.param(["--host", "0.0.0.0"], "token", id="open to the world"),
        pytest.param(
            ["--host", "0.0.0.0", "--token-file", "token", "--store", "oracle://db/x"],
            "postgresql://",
            id="another kind of database",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_remedy(tunewright, tmp_path, words, named):
    (tmp_path / "token").write_text("secret")

    refused = tunewright("serve", "metrics", "--port", "0", *words)

    assert refused.code == 2
    assert named in refused.err
