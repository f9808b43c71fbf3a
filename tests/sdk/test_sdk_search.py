"""`search`: a space is checked where it is built, and is what a file would say."""

from enum import Enum

import numpy as np
import pytest
from tunewright import search
from tunewright.api.errors import Invalid


class Optimizer(str, Enum):  # noqa: UP042  # as programs have it that are older than StrEnum
    SGD = "sgd"
    ADAM = "adam"


@pytest.mark.parametrize(
    ("dimension", "spec"),
    [
        (
            search.double(0, 1),
            {"parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
        ),
        (
            search.double(1e-5, 0.1, log=True),
            {
                "parameterType": "double",
                "feasibleSpace": {"min": "1e-05", "max": "0.1", "distribution": "logUniform"},
            },
        ),
        (
            search.int(1, 9, step=2),
            {"parameterType": "int", "feasibleSpace": {"min": "1", "max": "9", "step": "2"}},
        ),
        (
            search.normal(-3, 3),
            {
                "parameterType": "double",
                "feasibleSpace": {"min": "-3", "max": "3", "distribution": "normal"},
            },
        ),
        (
            search.categorical(["sgd", "adam"]),
            {"parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}},
        ),
        (
            search.discrete([16, 32, 64.5]),
            {"parameterType": "discrete", "feasibleSpace": {"list": ["16", "32", "64.5"]}},
        ),
        pytest.param(
            search.double(0, np.float64(1), step=np.float32(0.5)),
            {
                "parameterType": "double",
                "feasibleSpace": {"min": "0", "max": "1.0", "step": "0.5"},
            },
            id="numbers of numpy",
        ),
        pytest.param(
            search.discrete(np.logspace(-3, -1, 3)),
            {"parameterType": "discrete", "feasibleSpace": {"list": ["0.001", "0.01", "0.1"]}},
            id="an array",
        ),
        pytest.param(
            search.categorical(np.array(["relu", "tanh"])),
            {"parameterType": "categorical", "feasibleSpace": {"list": ["relu", "tanh"]}},
            id="an array of texts",
        ),
        pytest.param(
            search.categorical(Optimizer),
            {"parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}},
            id="an enum of texts",
        ),
        pytest.param(
            search.categorical(set("abcdefgh")),
            {"parameterType": "categorical", "feasibleSpace": {"list": list("abcdefgh")}},
            id="a set, whose own order is another in each process",
        ),
    ],
)
def test_a_dimension_is_what_a_file_says(dimension, spec):
    assert dimension.spec("p") == {"name": "p", **spec}


def test_a_condition_stands_beside_the_parameters():
    space = {
        "optimizer": search.categorical(["sgd", "adam"]),
        "momentum": search.double(0, 1, when={"optimizer": ["sgd"]}),
    }
    assert search.parameters(space)["parameterConditions"] == [
        {"parameter": "momentum", "when": {"parameter": "optimizer", "in": ["sgd"]}}
    ]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: search.categorical("abc"), r"'abc' is not a list \(write \['abc'\]\)"),
        (lambda: search.categorical([True, False]), r'True is neither a text.* write "True"'),
        (lambda: search.categorical([None, "l2"]), r'None is neither a text.* write "None"'),
        (lambda: search.categorical([(64, 64)]), r'nor a number .* write "\(64, 64\)"'),
        (lambda: search.discrete(3), r"3 is not a list \(write \[3\]\)"),
        (
            lambda: search.double(0, 1, when={"o": "sgd"}),
            r"'sgd' is not a list \(write \['sgd'\]\)",
        ),
        (lambda: search.double(0, 1, when="o"), r"'o' names no values of another parameter"),
    ],
)
def test_what_would_become_another_value_is_refused_with_what_to_write(build, says):
    with pytest.raises(Invalid, match=says):
        build()


def test_an_entry_of_a_space_that_is_no_dimension_is_named_with_what_to_write():
    with pytest.raises(Invalid, match=r"write search\.double\(0, 1\)") as refused:
        search.parameters({"x": (0, 1), "n": search.int(1, 2), "kind": ["a", "b"]})
    assert [fault.path for fault in refused.value.faults] == ["space['x']", "space['kind']"]


@pytest.mark.parametrize(
    "build",
    [
        lambda: search.double(1, 0),
        lambda: search.double(0, 1, log=True),
        lambda: search.double(0, float("nan")),
        lambda: search.int(0, 10, step=-1),
        lambda: search.categorical([]),
        lambda: search.categorical(["a", "a"]),
        lambda: search.discrete(["one"]),
    ],
)
def test_a_dimension_that_cannot_be_is_refused_where_it_is_built(build):
    with pytest.raises(Invalid):
        build()
