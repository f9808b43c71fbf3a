"""Types of the SDK, as two checkers see them in a user's program, and examples of docstrings."""

import doctest
import importlib
import json
import os
import subprocess
import sys

import pytest
from support.command import ROOT

pytestmark = [pytest.mark.timeout(300), pytest.mark.needs("matplotlib")]

PROGRAM = """
import asyncio
from collections.abc import Mapping
from typing import assert_type

from matplotlib.figure import Figure
from tunewright import AsyncClient, Client, Conflict, Invalid, NotFound
from tunewright import report, search, should_stop, tune
from tunewright.sdk.plots import Plot
from tunewright.sdk.results import Experiment, Result
from tunewright.sdk.values import Point, Sample, Trial
from tunewright.sdk.template import Machine


def loss(lr: float, layers: int) -> float:
    for step in range(3):
        report(loss=lr, step=step)
        report({"val/loss": lr}, step=step)
        if should_stop():
            break
    return lr * layers


space = {
    "lr": search.double(1e-5, 1e-1, log=True),
    "layers": search.int(1, 8, when={"kind": ["a"]}),
    "kind": search.categorical(["a", "b"]),
    "n": search.discrete([1, 2.5]),
    "m": search.normal(0, 1),
}
result = tune(loss, space, trials=3, machine=Machine(resources={"cpu": 1}), packages=["numpy"])
assert_type(result, Result)
assert_type(result.best, Trial)
assert_type(result.best.value, float | None)
assert_type(result.plot.history(), Plot)
figure: Figure = result.plot.slice("lr", metric="loss")
shares: Mapping[str, float] = result.importance()

with Client() as client:
    experiment = client.create({"kind": "Experiment"})
    assert_type(experiment, Experiment)
    while (point := experiment.ask(timeout=1.0)) is not None:
        assert_type(point, Point)
        assert_type(experiment.tell(point, loss=0.5, accuracy=1), bool)
    try:
        client.edit("name", max_trials=3)
    except Invalid as error:
        print([fault.path for fault in error.faults])
    except (Conflict, NotFound) as error:
        print(error)
    assert_type(client.result("name"), Result)
    for sample in client.metrics("name", 1):
        assert_type(sample, Sample)


async def main() -> None:
    async with AsyncClient(store="x.db") as client:
        assert_type(await client.best("name"), Trial)
        async for line in client.follow_logs("name"):
            assert_type(line, str)


asyncio.run(main())
"""

SLIPS = {
    "tune(loss, space, directoin='maximize')": "directoin",
    "tune(loss, space, direction='up')": "direction",
    "search.double('a', 1)": "double",
    "Client(stor='x')": "stor",
    "report(loss='low')": "loss",
    "Client().trial('name').paramters": "trial",
    "result.plot.histroy()": "histroy",
}
"""What is wrong, and a word of what must be said of it."""


def checked(command, folder, text):
    (folder / "program.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "MYPYPATH": str(ROOT / ".types")}
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


@pytest.fixture
def pyright(tmp_path):
    found = {"extraPaths": [str(ROOT / ".types")], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(found), encoding="utf-8")
    command = ["basedpyright", "--pythonpath", sys.executable]
    return lambda text: checked(command, tmp_path, text)


@pytest.fixture
def mypy(tmp_path):
    settings = ("--config-file", str(ROOT / "pyproject.toml"))
    known = ("--cache-dir", str(ROOT / ".mypy_cache"))  # what `make types` has found of our own
    command = ["mypy", *settings, *known, "program.py"]
    return lambda text: checked(command, tmp_path, text)


CHECKERS = [
    "pyright",
    # One after the other: what the first has found of our own is known to the second.
    pytest.param("mypy", marks=pytest.mark.xdist_group("mypy")),
]


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_program_that_uses_the_sdk_is_clean(checker, request):
    said = request.getfixturevalue(checker)(PROGRAM)
    assert ("0 errors, 0 warnings" in said) or ("no issues found" in said), said


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_error_is_found_on_its_line(checker, request):
    slips = "\n".join(SLIPS)
    first = PROGRAM.count("\n") + 1
    said = request.getfixturevalue(checker)(f"{PROGRAM}{slips}\n")
    for line, (slip, word) in enumerate(SLIPS.items(), first):
        told = [each for each in said.splitlines() if f"program.py:{line}:" in each]
        assert any(word in each for each in told), (slip, said)


@pytest.mark.parametrize("name", ["search", "tune", "report", "client", "aio", "results"])
def test_the_examples_of_docstrings_do_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))
    monkeypatch.delenv("TUNEWRIGHT_REPORT", raising=False)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(f"tunewright.sdk.{name}"))
    assert found.attempted
    assert not found.failed
