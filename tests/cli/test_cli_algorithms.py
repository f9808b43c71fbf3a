"""Algorithms of other packages, and of ours that are not installed."""

import dataclasses
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.packages import install

HALVING = """
import os
import signal
from pathlib import Path

from tunewright.api.history import Proposal
from tunewright.suggestion.algorithm import Algorithm
from tunewright.suggestion.history import PointFold
from tunewright.suggestion.settings import number


class Halving(Algorithm):
    name = "halving"
    description = "halves what is left"
    settings = (number("start", float, "1", "> 0", message="start must be > 0", description="s"),)

    def start(self, problem):
        return Fold(problem)


class Fold(PointFold):
    def draw(self, index, retry):
        return Proposal({"x": 0.5 ** (index + 1)})


class Greedy(Halving):
    name = "greedy"

    def start(self, problem):
        if not Path("freed").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return Fold(problem)


class Needy(Halving):
    name = "needy"
    requires = ("no_such_module",)
"""


@pytest.fixture
def command(tunewright):
    """The command, beside packages of which some are broken."""
    site = tunewright.folder / "site"
    algorithms = {each.lower(): f"halving:{each}" for each in ("Halving", "Greedy", "Needy")}
    install(site, "halving", HALVING, algorithms)
    install(site, "careless", "import no_such_module", {"careless": "careless:Careless"})
    install(site, "absent", "", {"absent": "absent:Absent", "path": "os:path"})
    return dataclasses.replace(tunewright, site=site)


def test_an_algorithm_of_another_package_is_listed_with_its_settings(command):
    found = {item["name"]: item for item in command("algorithms", "-o", "json").json}
    assert found["halving"]["description"] == "halves what is left"
    assert [setting["name"] for setting in found["halving"]["settings"]] == ["start"]


def test_an_algorithm_of_another_package_proposes_the_points_of_a_run(command, experiment):
    result = command("run", experiment(), "--algorithm", "halving")
    assert result.code == 0, result.err
    points = [trial["parameters"]["x"] for trial in command("trials", "echo", "-o", "json").json]
    assert points == [0.5, 0.25, 0.125]


def test_an_experiment_whose_search_is_killed_says_so_and_goes_on_when_it_is_resumed(
    command, experiment
):
    killed = command("run", experiment(), "--algorithm", "greedy")
    explained = command("explain", "echo").out
    (command.folder / "freed").touch()
    resumed = command("resume", "echo")

    assert killed.code == 1
    assert "killed by signal 9, perhaps for lack of memory: give it more" in killed.out
    assert "resume" in explained
    assert resumed.code == 0, resumed.err
    assert command("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("careless", "No module named 'no_such_module'"),
        ("absent", "has no attribute 'Absent'"),
        ("path", "is not a subclass of Algorithm"),
    ],
)
def test_one_that_cannot_be_loaded_says_why_and_hides_no_other(command, experiment, name, said):
    run = command("run", experiment(), "--algorithm", name)
    listed = {item["name"]: item for item in command("algorithms", "-o", "json").json}

    assert run.code == 2
    assert f"the entry point of algorithm {name}" in run.err
    assert said in run.err
    assert "Traceback" not in run.err
    assert said in listed[name]["description"]
    assert "tpe" in listed


def test_what_it_needs_beside_it_is_named(command, experiment):
    run = command("run", experiment(), "--algorithm", "needy")
    assert run.code == 2
    assert "the algorithm needy needs no_such_module" in run.err
    assert "pip install no_such_module" in run.err


def test_an_extra_that_is_not_installed_is_named_with_the_remedy(tunewright, experiment):
    """Our packages are there, but for those of the extra."""
    site = tunewright.folder / "base"
    site.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(("optuna", "numpy", "scipy", "skopt", "cmaes")):
            (site / package.name).symlink_to(package)
    environ = dataclasses.replace(tunewright, site=site).environ

    done = subprocess.run(
        [sys.executable, "-S", "-m", "tunewright", "run", experiment(), "--algorithm", "tpe"],
        env=environ,
        cwd=tunewright.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "the algorithm tpe needs numpy, optuna (pip install 'tunewright[search]')" in done.stderr
