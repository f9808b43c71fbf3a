"""Conditional parameters, from a file to the commands of its trials."""

import pytest


def conditional(document):
    """A momentum that only sgd has, and that the command gets as an option."""
    spec = document["spec"]
    double = {"parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
    opt = {"parameterType": "categorical", "feasibleSpace": {"list": ["adam", "sgd"]}}
    spec |= {
        "maxTrialCount": 12,
        "parameters": [{"name": "momentum", **double}, {"name": "opt", **opt}],
        "parameterConditions": [
            {"parameter": "momentum", "when": {"parameter": "opt", "in": ["sgd"]}}
        ],
    }
    template = spec["trialTemplate"]
    template["trialParameters"] = [
        {"name": name, "reference": name} for name in ("opt", "momentum")
    ]
    (container,) = template["trialSpec"]["spec"]["template"]["spec"]["containers"]
    words = ["${trialParameters.opt}", "--momentum", "${trialParameters.momentum}"]
    container["command"] = ["sh", "-c", "echo loss=$#.${#2}", "train", *words]


@pytest.fixture
def file(experiment):
    return experiment(conditional)


@pytest.mark.parametrize("algorithm", ["auto", "random", "tpe"])
def test_each_trial_gets_the_parameters_that_it_has(tunewright, experiment, algorithm):
    def change(document):
        conditional(document)
        document["spec"]["algorithm"] = {"algorithmName": algorithm}

    assert tunewright("run", experiment(change)).code == 0
    trials = tunewright("trials", "echo", "-o", "json").json
    points = [trial["parameters"] for trial in trials]
    assert {frozenset(point) for point in points} == {
        frozenset({"opt"}),
        frozenset({"opt", "momentum"}),
    }
    assert all(("momentum" in point) == (point["opt"] == "sgd") for point in points)
    assert all((trial["value"] < 2) == (trial["parameters"]["opt"] == "adam") for trial in trials)
    assert points.count({"opt": "adam"}) == 1  # nothing about it could be different


def test_an_algorithm_that_cannot_search_them_is_refused_with_those_that_can(
    tunewright, experiment
):
    def change(document):
        conditional(document)
        document["spec"]["algorithm"] = {"algorithmName": "cmaes"}

    result = tunewright("validate", experiment(change))
    assert result.code == 2
    assert "spec.parameterConditions: the algorithm cmaes does not support" in result.err
    assert "use auto" in result.err


def test_a_point_that_a_person_adds_has_what_is_active_in_it(tunewright, file):
    given = ("--set", "opt=adam", "--set", "momentum=0.5")
    refused = tunewright("render", file, *given)
    assert refused.code == 2
    assert "momentum is not part of this point" in refused.err

    shown = tunewright("render", file, "--set", "opt=adam")
    assert shown.code == 0
    assert "--momentum" not in shown.out


@pytest.mark.parametrize(
    ("assignments", "place", "message"),
    [
        ({"opt": "sgd"}, "", "has no value for momentum"),
        ({"opt": "adam", "momentum": "0.5"}, ".momentum", "momentum is not part of this point"),
    ],
)
def test_a_point_to_begin_with_is_checked_as_what_it_is(
    tunewright, experiment, assignments, place, message
):
    def change(document):
        conditional(document)
        document["spec"]["initialTrials"] = [{"assignments": assignments}]

    result = tunewright("validate", experiment(change))
    assert result.code == 2
    assert f"spec.initialTrials[0].assignments{place}: {message}" in result.err
