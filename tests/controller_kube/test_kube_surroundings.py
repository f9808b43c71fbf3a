"""What is taken from a process's surroundings."""

import pytest
from tunewright.controller.kube.surroundings import proxy

PROXY = "http://proxy.example.org:3128"

SERVERS = {
    "one that nothing is said of": ("https://api.example.com:6443", PROXY),
    "one that is named": ("https://api.example.org:6443", None),
    "one below a domain that is named": ("https://api.corp.example:6443", None),
    "an address that is named": ("https://192.0.2.7:6443", None),
    "an address in a network that is named": ("https://10.96.0.1:443", None),
    "an address in none": ("https://172.16.0.1:443", PROXY),
    "an address of the newer kind in a network": ("https://[fd00::1]:443", None),
    "this machine": ("https://localhost:6443", None),
    "this machine by its address": ("https://127.0.0.1:6443", None),
    "this machine by its newer address": ("https://[::1]:6443", None),
    "another scheme": ("http://api.example.com:8080", None),
}


@pytest.fixture
def surroundings(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(("server", "expected"), SERVERS.values(), ids=SERVERS)
def test_a_server_is_reached_by_the_proxy_that_the_environment_names(
    server, expected, surroundings
):
    surroundings.setenv("HTTPS_PROXY", PROXY)
    named = "api.example.org, .corp.example,192.0.2.7, 10.0.0.0/8 ,fd00::/8,a/typo"
    surroundings.setenv("NO_PROXY", named)

    assert proxy(server) == expected


def test_there_is_no_proxy_where_none_is_named(surroundings):
    assert proxy("https://api.example.com:6443") is None
