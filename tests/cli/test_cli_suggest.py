"""`tunewright suggest`: an algorithm is asked, and nothing changes."""

import json

import pytest

RUN = ["run", "--name", "q", "--param", "x=0.0..1.0", "--minimize", "loss", "--trials", "6"]
COMMAND = ["--", "sh", "-c", "echo loss={x}"]


@pytest.fixture
def searched(tunewright):
    assert tunewright(*RUN, "--seed", "4", *COMMAND).code == 0
    return tunewright


def asked(tunewright, *words):
    result = tunewright("suggest", "q", *words, "-o", "json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def points(shown):
    return [each["point"] for each in shown["reply"]["proposals"]]


def test_the_whole_history_is_sent_and_as_many_points_come_as_were_asked_for(searched):
    shown = asked(searched, "--count", "3")
    assert len(points(shown)) == 3
    assert len(shown["request"]["entries"]) == 12
    assert shown["request"]["firstIndex"] == "6"


def test_asking_changes_nothing(searched):
    assert points(asked(searched)) == points(asked(searched))
    assert len(json.loads(searched("trials", "list", "q", "-o", "json").out)) == 6


def test_a_trial_s_own_history_gives_its_own_point(searched):
    trials = json.loads(searched("trials", "list", "q", "-o", "json").out)
    made = next(trial for trial in trials if trial["index"] == 3)["parameters"]["x"]
    shown = asked(searched, "--before", "3")
    first = int(shown["request"].get("firstIndex", 0))
    again = points(asked(searched, "--before", "3", "--count", str(4 - first)))
    assert again[-1][0]["value"]["number"] == pytest.approx(made)


def test_another_algorithm_may_be_asked_at_an_address(searched):
    with searched.start("serve", "suggestion", "--port", "0") as process:
        address = process.stdout.readline().split()[-1]
        there = asked(searched, "--algorithm", f"sobol={address}", "--count", "2")
        process.terminate()
    assert points(there) == points(asked(searched, "--algorithm", "sobol", "--count", "2"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--algorithm", "tpee"], 2, "did you mean tpe?"),
        (["--before", "77"], 2, "q has no trial 77"),
        (["--algorithm", "127.0.0.1:1"], 1, "127.0.0.1:1"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(searched, words, code, message):
    result = searched("suggest", "q", *words)
    assert (result.code, message in result.err) == (code, True), result.err
