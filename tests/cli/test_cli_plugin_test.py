"""`tunewright plugin test`, against services that are processes of their own."""

import dataclasses
import os

import pytest
from support.command import COMMAND
from support.katib_plugin import PROGRAM
from support.packages import install

pytestmark = pytest.mark.timeout(300)  # a service is started dozens of times

SERVE = [*COMMAND, "serve", "suggestion", "--port"]
LIST = ["algorithms", "--early-stopping", "-o", "json"]
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
        "plugin", "test", "--algorithm", "random", "--", *SERVE, "{port}", timeout=280
    )
    assert result.code == 0, result.out
    assert set(verdicts(result).values()) == {"kept"}
    assert set(RESTARTED) <= set(verdicts(result))
    assert result.out.endswith("random is stateless.\n")


def test_a_plug_in_that_bears_no_restart_is_stateful_but_usable(tunewright):
    plugin = [*PROGRAM, "{port}"]
    result = tunewright("plugin", "test", "--algorithm", "counting", "--", *plugin, timeout=280)
    assert result.code == 0, result.out
    assert [rule for rule, verdict in verdicts(result).items() if verdict != "kept"] == [
        "a restart changes nothing",
        "a long history is handled",
    ]
    assert result.out.endswith("counting is stateful but usable.\n")


@pytest.mark.needs("linux")
@pytest.mark.timeout(60)
def test_a_plug_in_does_not_outlive_the_test_that_started_it(tunewright):
    held = tunewright.folder / "held"
    os.mkfifo(held)
    plugin = f"exec > {held}; echo started; exec sleep 600"
    words = ["plugin", "test", "--", "sh", "-c", plugin, "{port}"]
    with tunewright.start(*words) as process, held.open() as output:
        output.readline()
        process.kill()
        assert output.read() == ""


def test_an_algorithm_that_is_not_there_is_broken(tunewright, address):
    result = tunewright("plugin", "test", address, "--algorithm", "randomm")
    assert result.code == 1
    assert "every search space was refused at validation" in result.out
    assert result.out.endswith("randomm is broken.\n")


HASTY = """
from tunewright.suggestion.early_stopping.rule import Rule


class Hasty(Rule):
    name = "hasty"
    description = "stops everybody"

    def reason(self, report, case):
        return "time is money"
"""


def slow(document):
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = [
        "sh",
        "-c",
        ": ${trialParameters.x}; echo loss=1; exec sleep 30",
    ]


@pytest.fixture
def with_rules(tunewright):
    """The command, beside packages with rules of which one cannot be loaded."""
    site = tunewright.folder / "site"
    rules = {"hasty": "hasty:Hasty", "absent": "hasty:Absent"}
    install(site, "hasty", HASTY, rules, group="tunewright.early_stopping")
    return dataclasses.replace(tunewright, site=site)


def test_a_stopping_rule_is_examined_by_name(with_rules):
    kept = with_rules("plugin", "test", "threshold", "--early-stopping", "--setting", "bound=0.5")
    broken = with_rules("plugin", "test", "hasty", "--early-stopping")

    assert kept.code == 0, kept.err
    assert set(verdicts(kept).values()) == {"kept"}
    assert broken.code == 1
    assert "the best trial continues: a trial that was always the best is stopped" in broken.out
    assert broken.out.endswith("hasty is broken.\n")


def test_a_stopping_rule_is_examined_at_an_address(tunewright, address):
    words = ["plugin", "test", address, "--early-stopping", "--algorithm"]
    kept, unknown = tunewright(*words, "asha"), tunewright(*words, "ashaa")
    assert (kept.code, set(verdicts(kept).values())) == (0, {"kept"})
    assert unknown.code == 2
    assert "did you mean asha?" in unknown.err


def test_a_rule_of_another_package_stops_trials(with_rules, experiment):
    result = with_rules("run", experiment(slow), "--early-stopping", "hasty")
    assert result.code == 0, result.err
    trials = with_rules("trials", "echo", "-o", "json").json
    assert {trial["state"] for trial in trials} == {"EarlyStopped"}


def test_a_rule_that_cannot_be_loaded_is_refused_and_hides_no_other(with_rules, experiment):
    run = with_rules("run", experiment(), "--early-stopping", "absent")
    listed = {item["name"]: item for item in with_rules(*LIST).json}
    assert run.code == 2
    assert "the entry point of early-stopping rule absent fails" in run.err
    assert "has no attribute 'Absent'" in listed["absent"]["description"]
    assert listed["hasty"]["description"] == "stops everybody"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hastyy"], "did you mean hasty?"),
        (["threshold", "--setting", "bond=1"], "unknown setting bond"),
        (["a", "b"], "a rule cannot be tested by a command"),
    ],
)
def test_what_cannot_be_examined_says_why(with_rules, words, said):
    result = with_rules("plugin", "test", *words, "--early-stopping")
    assert result.code == 2
    assert said in result.err
