import asyncio
import socket
import ssl

import pytest
from support.certificates import self_signed
from support.search import Log, problem, whole
from tunewright.api.errors import PluginUnavailable, Unsupported
from tunewright.proto.serving import Tls
from tunewright.suggestion.client import RemoteSuggester
from tunewright.suggestion.service import start_service

TASK = problem(whole("n", 1, 9))


@pytest.fixture
def tls(tmp_path):
    return Tls(*self_signed(tmp_path))


@pytest.mark.needs("openssl")
def test_the_service_speaks_tls_when_asked(tls):
    async def ask(endpoint, authority):
        remote = RemoteSuggester(endpoint, Log().after, timeout=5, authority=authority)
        try:
            return await remote.suggest(TASK, 0, 1, position=0)
        finally:
            await remote.close()

    server, address = start_service("localhost:0", tls=tls)
    try:
        answer = asyncio.run(ask(f"grpcs://{address}", tls.certificate.read_bytes()))
        assert len(answer.proposals) == 1
        with pytest.raises(PluginUnavailable):
            asyncio.run(ask(address, None))
    finally:
        server.stop(0).wait()


@pytest.mark.needs("openssl")
def test_a_certificate_that_is_renewed_is_shown_to_the_next_caller(tls, tmp_path):
    def shown(address):
        host, _, port = address.rpartition(":")
        return ssl.get_server_certificate((host, int(port))).strip()

    server, address = start_service("localhost:0", tls=tls)
    try:
        first = shown(address)
        self_signed(tmp_path)
        second = shown(address)
        tls.certificate.unlink()
        third = shown(address)
    finally:
        server.stop(0).wait()
    assert first != second == third


def test_a_file_that_is_no_certificate_is_not_taken_for_a_port_that_is_taken(tmp_path):
    (tmp_path / "empty.pem").touch()
    tls = Tls(tmp_path / "empty.pem", tmp_path / "empty.pem")
    with pytest.raises(Unsupported, match="takes a certificate and its key"):
        start_service("127.0.0.1:0", tls=tls)


def test_a_host_that_is_not_this_machine_cannot_be_listened_on():
    with pytest.raises(Unsupported, match="cannot be listened on: Cannot assign"):
        start_service("203.0.113.7:0", open_to_all=True)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no loopback of IPv6")
def test_a_host_of_ipv6_needs_no_brackets():
    server, address = start_service("::1:0")
    server.stop(0).wait()
    assert address.startswith("[::1]:")
