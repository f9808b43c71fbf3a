"""`tunewright operator` as a process."""

import base64
import signal
import socket
import ssl

import pytest
from support import command
from support.apiserver import NEEDED
from support.elsewhere import configuration
from support.waiting import until
from tunewright.cli.serving import namespaces_of
from tunewright.controller.kube.pod_webhook import CONFIGURATIONS, NAME

pytestmark = NEEDED

PATH = CONFIGURATIONS.path(None)


@pytest.fixture
def port(api_server):
    """Return the port at which the API server is to ask about pods."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    status, said = api_server.ask("POST", PATH, configuration(number))
    assert status == 201, said
    yield number
    api_server.ask("DELETE", f"{PATH}/{NAME}")


ALL = ("serve", "all", "--host", "127.0.0.1", "--plain-port", "0", "--observations-port", "0")


@pytest.mark.parametrize("command_", [("operator",), ALL], ids=["operator", "serve all"])
def test_it_has_the_api_server_trust_the_certificate_that_it_answers_with(
    api_server, port, tmp_path, command_
):
    def webhooks():
        return api_server.ask("GET", f"{PATH}/{NAME}")[1].get("webhooks")

    words = ("--kubeconfig", str(api_server.kubeconfig), "--http", "127.0.0.1:0")
    with command.start(
        tmp_path, *command_, *words, "--webhook-port", str(port), cwd=tmp_path
    ) as running:
        until(webhooks)
        (bundle,) = {each["clientConfig"]["caBundle"] for each in webhooks()}
        trusting = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            assert secured.version()
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0


@pytest.mark.parametrize("command_", [("operator",), ("serve", "all")], ids=" ".join)
def test_no_namespace_at_all_is_not_taken_for_all(tunewright, api_server, command_):
    config = ("--kubeconfig", str(api_server.kubeconfig))
    done = tunewright(*command_, "--namespaces", " ,", *config)
    assert (done.code, "--namespaces" in done.err) == (2, True), done.err


def test_blanks_between_names_of_namespaces_are_none_of_theirs():
    assert namespaces_of("team-a, team-b,") == ("team-a", "team-b")


@pytest.mark.parametrize("written", ["8080", "0.0.0.0:", "0.0.0.0:http", "0.0.0.0:99999"])
def test_an_address_that_nothing_can_listen_on_is_refused(tunewright, api_server, written):
    done = tunewright("operator", "--http", written, "--kubeconfig", str(api_server.kubeconfig))
    assert (done.code, f"--http: {written} is not an address" in done.err) == (2, True), done.err


def test_an_address_that_another_program_has_is_told_with_the_remedy(tunewright, api_server):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        config = ("--kubeconfig", str(api_server.kubeconfig))
        done = tunewright("operator", "--http", taken, *config)
    assert done.code == 2
    assert done.err == f"error: {taken} is taken by another program: name another port\n"
