"""`tunewright plugin test`, against services that are processes of their own."""

import pytest
from support.command import COMMAND
from support.katib_plugin import PROGRAM

SERVE = [*COMMAND, "serve", "suggestion", "--port"]
RESTARTED = ["the same history gives the same points", "a restart changes nothing"]


def verdicts(result):
    """Return what was said of each rule."""
    lines = [line.rsplit(maxsplit=2) for line in result.out.splitlines()]
    return {line[0].strip(): line[1] for line in lines if line[1:2] in (["kept"], ["stateful"])}


@pytest.fixture
def address(tunewright):
    with tunewright.start("serve", "suggestion", "--port", "0") as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_at_an_address_nothing_is_restarted_and_so_not_called_stateless(tunewright, address):
    result = tunewright("plugin", "test", address, "--algorithm", "random")
    assert result.code == 0, result.out
    assert result.out.endswith("random is stateful but usable.\n")
    assert not set(RESTARTED) & set(verdicts(result))
    assert "`plugin test -- COMMAND` restarts it" in result.err


def test_our_own_service_started_by_its_command_is_stateless(tunewright):
    result = tunewright(
        "plugin", "test", "--algorithm", "random", "--", *SERVE, "{port}", timeout=110
    )
    assert result.code == 0, result.out
    assert set(verdicts(result).values()) == {"kept"}
    assert set(RESTARTED) <= set(verdicts(result))
    assert result.out.endswith("random is stateless.\n")


def test_a_plug_in_that_bears_no_restart_is_stateful_but_usable(tunewright):
    plugin = [*PROGRAM, "{port}"]
    result = tunewright("plugin", "test", "--algorithm", "counting", "--", *plugin, timeout=110)
    assert result.code == 0, result.out
    assert [rule for rule, verdict in verdicts(result).items() if verdict != "kept"] == [
        "a restart changes nothing",
        "a long history is borne",
    ]
    assert result.out.endswith("counting is stateful but usable.\n")


def test_an_algorithm_that_is_not_there_is_broken(tunewright, address):
    result = tunewright("plugin", "test", address, "--algorithm", "randomm")
    assert result.code == 1
    assert "every search space was refused at validation" in result.out
    assert result.out.endswith("randomm is broken.\n")
