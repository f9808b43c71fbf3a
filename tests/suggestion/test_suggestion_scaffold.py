"""`tunewright plugin new`: a package whose tests pass, and an experiment that uses it."""

import os
import subprocess
import sys

import pytest
from support.command import COMMAND
from tunewright.api.errors import Conflict, Invalid
from tunewright.suggestion.plugin import scaffold


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder of a new package, and the environment in which it is installed."""
    folder = tmp_path_factory.mktemp("author")
    package, site = folder / "my-algorithm", folder / "site"
    scaffold.write("my-algorithm", package)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(site), str(package)], check=True)
    return package, {**os.environ, "PYTHONPATH": str(site), "TUNEWRIGHT_HOME": str(folder)}


def run(installed, *words):
    package, environment = installed
    return subprocess.run(
        words, cwd=package, env=environment, capture_output=True, text=True, check=False
    )


def test_the_tests_of_a_new_package_pass(installed):
    result = run(installed, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout
    assert "9 passed" in result.stdout


def test_its_experiment_runs(installed):
    result = run(installed, *COMMAND, "run", "experiment.yaml")
    assert result.returncode == 0, result.stderr
    assert "best: loss = " in result.stdout


def test_it_is_listed_with_its_settings(installed):
    assert "how far a step goes" in run(installed, *COMMAND, "algorithms", "my-algorithm").stdout


@pytest.mark.parametrize(
    "name", ["My-Algorithm", "my_algorithm", "", "../away", "9lives", "random"]
)
def test_a_name_that_cannot_be_is_refused(name, tmp_path):
    with pytest.raises(Invalid):
        scaffold.write(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Conflict, match="is not empty"):
        scaffold.write("my-algorithm", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
