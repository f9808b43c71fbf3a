"""Every shape of Katib's Experiment is accepted, and compiles."""

from pathlib import Path

import pytest
from tunewright.api import compile as compiling
from tunewright.api.documents import load, parse

SHAPES = sorted((Path(__file__).parent / "shapes").glob("*.yaml"))


@pytest.mark.parametrize("file", SHAPES, ids=lambda file: file.stem)
def test_the_shape_is_accepted_and_compiles(file):
    (experiment,) = load([file]).experiments

    problem = compiling.problem(experiment, uid="u", seed=1)

    assert problem.space.parameters or problem.architecture
    assert compiling.policy(experiment).parallel >= 1


@pytest.mark.parametrize("file", SHAPES, ids=lambda file: file.stem)
def test_what_was_loaded_is_accepted_again_as_a_plain_value(file):
    (experiment,) = load([file]).experiments

    assert parse(experiment.write()).write() == experiment.write()
