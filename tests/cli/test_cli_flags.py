"""Experiments from options alone."""

import pytest
from tunewright.api.documents import parse
from tunewright.api.errors import Invalid
from tunewright.sdk.flags import Wanted, document
from tunewright.sdk.param import parameter


@pytest.mark.parametrize(
    ("written", "kind", "space"),
    [
        (
            "lr=log:1e-5..1e-1",
            "double",
            {"min": "1e-5", "max": "1e-1", "distribution": "logUniform"},
        ),
        ("lr=log:1..100", "double", {"min": "1", "max": "100", "distribution": "logUniform"}),
        ("x=0.0..1", "double", {"min": "0.0", "max": "1"}),
        ("x=float:0..1", "double", {"min": "0", "max": "1"}),
        ("x=.5..1.5", "double", {"min": ".5", "max": "1.5"}),
        ("x=-1.5..-0.5", "double", {"min": "-1.5", "max": "-0.5"}),
        ("x=0.0..0.5/0.1", "double", {"min": "0.0", "max": "0.5", "step": "0.1"}),
        ("n=int:1..10", "int", {"min": "1", "max": "10"}),
        ("n=int:8..128/8", "int", {"min": "8", "max": "128", "step": "8"}),
        ("n=int:log:8..512", "int", {"min": "8", "max": "512", "distribution": "logUniform"}),
        ("z=normal:-3..3", "double", {"min": "-3", "max": "3", "distribution": "normal"}),
        ("opt=adam,sgd", "categorical", {"list": ["adam", "sgd"]}),
        ("batch=16,32,64", "discrete", {"list": ["16", "32", "64"]}),
        ("batch=choice:16,32", "categorical", {"list": ["16", "32"]}),
        ("opt=choice:adam", "categorical", {"list": ["adam"]}),
        ("path=a..b,c..d", None, None),
        ("path=choice:../a,../b", "categorical", {"list": ["../a", "../b"]}),
    ],
)
def test_a_space_is_read(written, kind, space):
    if kind is None:
        with pytest.raises(Invalid):
            parameter(written)
        return
    name = written.split("=")[0]
    assert parameter(written) == {"name": name, "parameterType": kind, "feasibleSpace": space}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("lr", "it is not NAME=SPACE"),
        ("=1..2", "it is not NAME=SPACE"),
        ("n=1..10", "write n=int:1..10 or n=float:1..10"),
        ("x=5", "neither a range nor a list"),
        ("x=", "nothing is neither a range nor a list"),
        ("x=log:", "not a range LOW..HIGH"),
        ("x=log:a,b", "not a range LOW..HIGH"),
        ("x=int:float:1..2", "contradict one another"),
        ("x=a..b", "a is not a number"),
        ("x=0.0..inf", "inf is not a number"),
        ("x=a,,b", "empty or a repeated entry"),
        ("x=a,a", "empty or a repeated entry"),
    ],
)
def test_a_bad_space_says_how_a_good_one_is_written(written, says):
    with pytest.raises(Invalid) as caught:
        parameter(written)

    assert says in str(caught.value)


def wanted(**changes):
    standard = {"params": ["x=0.0..1.0"], "command": ["train", "{x}"], "minimize": "loss"}
    return Wanted(**{**standard, **changes})


def test_an_experiment_of_options_is_valid_and_substitutes_only_its_parameters():
    raw = document(wanted(command=["sh", "-c", "echo '{}' ${x} {y} {x}"], trials=5, name="mine"))

    spec = parse(raw).write()["spec"]
    container = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"][-1] == "echo '{}' ${x} {y} ${trialParameters.x}"
    assert spec["maxTrialCount"] == 5


def test_more_at_once_or_more_failures_than_trials_mean_all_of_them():
    spec = parse(document(wanted(trials=1, parallel=4, max_failed=5))).write()["spec"]

    counts = spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]
    assert counts == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"params": []}, "nothing to search"),
        ({"command": []}, "no command to tune"),
        ({"command": ["train"]}, "the command does not use it (write {x} in the command)"),
        (
            {"command": ["train", "{x}", "--lr={lr}"]},
            "--lr={lr} is not a parameter (give --param lr=",
        ),
        ({"command": ["train", "{x}", "{lr}"]}, "{lr} is not a parameter (give --param lr="),
        (
            {"params": ["ü=a,b"]},
            "'ü' is not a valid name of a parameter (start with a letter from a to z",
        ),
        ({"minimize": None}, "the objective is one metric"),
        ({"maximize": "accuracy"}, "the objective is one metric"),
        ({"params": ["x=0.0..1.0", "x=a,b"]}, "it is given twice"),
        ({"settings": ["sigma"]}, "sigma is not NAME=VALUE"),
    ],
)
def test_options_that_make_no_experiment_say_why(changes, says):
    with pytest.raises(Invalid) as caught:
        document(wanted(**changes))

    assert says in str(caught.value)


def test_a_parameter_whose_space_is_wrong_is_one_mistake():
    with pytest.raises(Invalid) as caught:
        document(wanted(params=["x=0..1"]))

    assert [fault.path for fault in caught.value.faults] == ["--param x=0..1"]


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        (["python", "train.py", "--lr={x}"], "train-"),
        (["python", "-m", "pkg.train", "{x}"], "pkg-"),
        (["./My_Script.sh", "{x}"], "my-script-"),
        (["{x}"], "experiment-"),
    ],
)
def test_an_experiment_without_a_name_is_named_after_its_script(command, prefix):
    assert document(wanted(command=command))["metadata"] == {"generateName": prefix}
