"""Every example runs as it is, at a smaller budget."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import command

EXAMPLES = sorted((command.ROOT / "examples").glob("*/experiment.yaml"))
PRIVATE_PATHS = {"json-lines", "tensorboard"}

pytestmark = [pytest.mark.timeout(300), pytest.mark.needs("linux")]


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.needs("mount-namespaces")] if name in PRIVATE_PATHS else []


@pytest.mark.parametrize(
    "path",
    [pytest.param(each, id=each.parent.name, marks=marks(each.parent.name)) for each in EXAMPLES],
)
def test_it_runs_and_finds_its_metrics(path: Path, tmp_path: Path):
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    count = min(2, document["spec"].get("maxTrialCount", 2))
    document["spec"] |= {"maxTrialCount": count, "parallelTrialCount": count}
    smaller = tmp_path / "experiment.yaml"
    smaller.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = command.run(tmp_path / "home", "run", str(smaller), cwd=command.ROOT, seconds=250)
    assert done.returncode == 0, done.stdout + done.stderr
    name = document["metadata"]["name"]
    rows = command.trials(tmp_path / "home", name, cwd=command.ROOT)
    assert len(rows) == count
    assert {row["state"] for row in rows} <= {"Succeeded", "EarlyStopped"}


def test_every_example_of_the_readme_is_there():
    assert {path.parent.name for path in EXAMPLES} == {
        *("boosting", "distributed", "hyperband", "json-lines", "pbt", "shell", "sklearn"),
        *("nas-darts", "nas-enas", "nas-evolution", "tensorboard"),
    }


def test_the_function_of_the_sdk_example_is_tuned(tmp_path: Path):
    example = (command.ROOT / "examples/sdk/tune_digits.py").read_text(encoding="utf-8")
    assert "trials=20" in example
    (tmp_path / "tune_digits.py").write_text(example.replace("trials=20", "trials=2"))
    done = subprocess.run(
        [sys.executable, "tune_digits.py"],
        cwd=tmp_path,
        env=command.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout.splitlines()[-1].split()[0]) <= 1
