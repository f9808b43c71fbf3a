"""`spec.warmStartFrom` from the command line."""

import pytest


@pytest.fixture
def after(experiment):
    """Write an experiment that begins where others were best."""

    def write(*names):
        def change(document):
            document["metadata"]["name"] = "after"
            document["spec"] |= {
                "warmStartFrom": [{"name": name} for name in names],
                "maxTrialCount": 4,
            }

        return experiment(change)

    return write


def test_it_tries_the_best_point_of_another_experiment_first(tunewright, experiment, after):
    tunewright("run", experiment())
    best = tunewright("best", "echo", "-o", "json").json

    assert tunewright("run", after("echo")).code == 0
    first, *others = tunewright("trials", "after", "-o", "json").json
    assert first["parameters"] == best["parameters"]
    assert first["why"] == "warm start"
    assert not any(trial["why"] for trial in others)


def test_a_file_that_names_one_that_is_not_there_yet_is_valid_and_says_so(tunewright, after):
    result = tunewright("validate", after("echo"))

    assert result.code == 0
    assert "after: valid" in result.out
    assert "spec.warmStartFrom[0].name: there is no experiment echo" in result.err
    assert not (tunewright.folder / "home").exists()


def test_a_file_that_names_one_that_is_there_is_valid_without_a_word(tunewright, experiment, after):
    tunewright("run", experiment())
    result = tunewright("validate", after("echo"))

    assert (result.code, result.err) == (0, "")


def test_a_file_that_shares_no_parameter_with_what_it_names_is_wrong(tunewright, experiment, after):
    def other(document):
        (parameter,) = document["spec"]["parameters"]
        parameter["name"] = "y"
        document["spec"]["trialTemplate"]["trialParameters"][0]["reference"] = "y"

    tunewright("run", experiment(other))
    result = tunewright("validate", after("echo"), "-o", "json")

    assert result.code == 2
    assert result.json["faults"][0]["path"] == "spec.warmStartFrom[0].name"
    assert "shares no parameter" in result.json["faults"][0]["message"]


def test_one_that_is_not_there_is_refused_by_its_place_and_nothing_is_recorded(tunewright, after):
    result = tunewright("run", after("echo"))

    assert result.code == 2
    assert (
        "spec.warmStartFrom[0].name: there is no experiment echo in the namespace default"
        " (name one that `tunewright get` shows, or leave it out)"
    ) in result.err
    assert "Traceback" not in result.err
    assert tunewright("get", "-o", "json").json == []


def test_a_name_that_stands_twice_is_refused_with_its_line(tunewright, after):
    result = tunewright("validate", after("echo", "echo"))

    assert result.code == 2
    assert "spec.warmStartFrom[1].name" in result.err


def test_again_may_begin_where_the_one_before_was_best(tunewright, experiment):
    def change(document):
        document["spec"]["maxTrialCount"] = 4

    tunewright("run", experiment(change))
    best = tunewright("best", "echo", "-o", "json").json

    def more(document):
        change(document)
        document["spec"]["warmStartFrom"] = [{"name": "echo"}]

    assert tunewright("run", experiment(more), "--again").code == 0
    first = tunewright("trials", "echo-2", "-o", "json").json[0]
    assert first["parameters"] == best["parameters"]
