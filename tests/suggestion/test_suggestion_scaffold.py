"""`tunewright plugin new`: a package whose tests pass, and an experiment that uses it."""

import json
import os
import subprocess
import sys

import pytest
from support.command import COMMAND
from tunewright.api.errors import Conflict, Invalid
from tunewright.suggestion.plugin import scaffold

pytestmark = pytest.mark.xdist_group("scaffold")  # one worker installs the packages, once


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with an author's two packages, and the environment that has them."""
    folder = tmp_path_factory.mktemp("author")
    site = folder / "site"
    scaffold.write("my-algorithm", folder / "my-algorithm")
    scaffold.write("my-rule", folder / "my-rule", scaffold.EARLY_STOPPING)
    packages = [str(folder / name) for name in ("my-algorithm", "my-rule")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(site), *packages], check=True)
    return folder, {**os.environ, "PYTHONPATH": str(site), "TUNEWRIGHT_HOME": str(folder)}


@pytest.fixture
def run(home):
    folder, environment = home

    def ran(name, *words):
        return subprocess.run(
            words, cwd=folder / name, env=environment, capture_output=True, text=True, check=False
        )

    return ran


@pytest.mark.parametrize(("name", "tests"), [("my-algorithm", 9), ("my-rule", 24)])
def test_the_tests_of_a_new_package_pass(run, name, tests):
    result = run(name, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout
    assert f"{tests} passed" in result.stdout


def test_the_experiment_of_a_new_algorithm_runs(run):
    result = run("my-algorithm", *COMMAND, "run", "experiment.yaml")
    assert result.returncode == 0, result.stderr
    assert "best: loss = " in result.stdout


def test_the_experiment_of_a_new_rule_runs_and_its_rule_stops_trials(run):
    result = run("my-rule", *COMMAND, "run", "experiment.yaml")
    trials = json.loads(run("my-rule", *COMMAND, "trials", "try-my-rule", "-o", "json").stdout)
    assert result.returncode == 0, result.stderr
    stopped = [trial["message"] for trial in trials if trial["state"] == "EarlyStopped"]
    assert stopped
    assert all("my-rule: after " in message for message in stopped)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["my-algorithm"], "how far a step goes"),
        (["my-rule", "--early-stopping"], "the part of the trials, in percent, that is stopped"),
        (["--early-stopping"], "my-rule"),
    ],
)
def test_what_is_installed_is_listed_with_its_settings(run, words, said):
    assert said in run("my-algorithm", *COMMAND, "algorithms", *words).stdout


@pytest.mark.parametrize(
    ("name", "skeleton"),
    [
        *(
            (name, scaffold.ALGORITHM)
            for name in ["My-Algorithm", "my_algorithm", "", "../away", "9lives", "class", "random"]
        ),
        ("medianstop", scaffold.EARLY_STOPPING),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, skeleton, tmp_path):
    with pytest.raises(Invalid):
        scaffold.write(name, tmp_path / "new", skeleton)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Conflict, match="is not empty"):
        scaffold.write("my-algorithm", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
