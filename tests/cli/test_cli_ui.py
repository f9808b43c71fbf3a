"""`tunewright ui` and `run --ui`: where the page listens, and what is said of it."""

import re
import socket
from contextlib import contextmanager

import httpx
import pytest


@contextmanager
def serving(tunewright, *words, env=()):
    """Run the command; give its address, and what it said on stderr when it has ended."""
    said = []
    page = tunewright.start("ui", "--no-open", *words, env=env)
    with page:
        try:
            yield re.search(r"(http://\S+)\?token=(\S+)", page.stdout.readline()), said
        finally:
            page.terminate()
            said.append(page.stderr.read())


@contextmanager
def taken():
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        wire.listen()
        yield wire.getsockname()[1]


def test_the_address_holds_a_token_that_is_new_each_time(tunewright):
    tokens = set()
    for _ in range(2):
        with serving(tunewright, "--port", "0") as (address, _):
            assert httpx.get(address[0], timeout=60).status_code == 303
            assert httpx.get(address[1], timeout=60).status_code == 401
            tokens.add(address[2])
    assert len(tokens) == 2


def test_the_address_lets_in_whatever_signs_the_token_is_made_of(tunewright):
    env = {"TUNEWRIGHT_UI_TOKEN": "ab+c/d&e#f%20=="}
    with (
        serving(tunewright, "--port", "0", env=env) as (address, _),
        httpx.Client(follow_redirects=True, timeout=60) as browser,
    ):
        assert browser.get(address[0]).status_code == 200
        assert browser.get(f"{address[1]}api/v1/experiments").status_code == 200


def test_a_token_that_not_every_program_could_send_is_refused(tunewright):
    refused = tunewright("ui", "--no-open", "--port", "0", "--token", "sécret")
    assert (refused.code, "--token: not every program could send it" in refused.err) == (2, True)


def test_the_next_port_is_taken_where_one_is_not_free(tunewright):
    with serving(tunewright) as (first, _), serving(tunewright) as (second, _):
        assert first[1] != second[1]


def test_a_port_that_is_named_and_not_free_is_an_error(tunewright):
    with taken() as port:
        refused = tunewright("ui", "--no-open", "--port", port)
    assert refused.code == 2
    assert f"127.0.0.1:{port}" in refused.err
    assert "the next free one is taken" in refused.err


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_no_address_of_this_machine_is_named(tunewright, host):
    refused = tunewright("ui", "--no-open", "--host", host)

    assert refused.code == 2
    assert refused.err.startswith(f"error: --host: {host}: ")
    assert refused.err.endswith(" (name an address of this machine)\n")


def test_under_ssh_it_says_how_the_page_is_reached_from_the_other_end(tunewright):
    env = {"SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22", "USER": "ada"}
    with serving(tunewright, "--port", "0", env=env) as (address, said):
        port = address[1].rstrip("/").rpartition(":")[2]
    assert f"ssh -L {port}:127.0.0.1:{port} ada@10.0.0.2" in said[0]


def test_a_further_name_is_answered_when_it_is_allowed(tunewright):
    with serving(tunewright, "--port", "0", "--allow-host", "tuner.example") as (address, _):
        port = address[1].rstrip("/").rpartition(":")[2]
        for host, status in (("tuner.example", 303), ("other.example", 421)):
            answered = httpx.get(address[0], headers={"Host": f"{host}:{port}"}, timeout=60)
            assert answered.status_code == status


def test_a_run_serves_the_page_while_it_goes_on(tunewright):
    done = tunewright(
        *("run", "--ui", "--param", "x=0.0..1.0", "--minimize", "loss", "--trials", "2"),
        *("--parallel", "1", "--", "sh", "-c", "echo loss={x}"),
    )
    assert done.code == 0
    assert "The page is at http://127.0.0.1:" in done.err


@pytest.mark.parametrize("option", ["--detach", "--dry-run"])
def test_a_run_that_nobody_follows_has_no_page(tunewright, option):
    refused = tunewright(
        *("run", "--ui", option, "--param", "x=0.0..1.0", "--minimize", "loss"),
        *("--", "sh", "-c", "echo loss={x}"),
    )
    assert refused.code == 2
    assert "--ui" in refused.err
