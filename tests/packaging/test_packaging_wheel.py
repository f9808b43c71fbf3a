"""What users install: the wheel holds the package alone, and runs the README's example."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONTENTS = Path(__file__).with_name("wheel_contents.txt")

pytestmark = [pytest.mark.xdist_group("wheel"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of what git tracks: the checkout stays as it is."""
    copy = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", out, copy],
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_exactly_the_listed_files(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if ".dist-info/" not in name)
    assert names == CONTENTS.read_text(encoding="utf-8").split()


def test_every_package_of_the_tree_is_in_the_wheel(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        packed = {str(Path(name).parent) for name in archive.namelist()}
    outside = {"tests", "benchmarks", "examples", "docs", "deploy"}
    packages = {
        str("tunewright" / folder.parent.relative_to(ROOT))
        for folder in ROOT.rglob("__init__.py")
        if not outside & set(folder.relative_to(ROOT).parts)
        and not any(part.startswith(".") for part in folder.relative_to(ROOT).parts)
        and "build" not in folder.relative_to(ROOT).parts
    }
    assert packages <= packed


def test_the_readme_example_runs_from_a_clean_installation(wheel: Path, tmp_path: Path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [
            *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            "--no-compile",  # most of it is never imported
            *(f"{wheel}[local,search]", "scikit-learn"),
        ],
        check=True,
    )
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    example = tmp_path / "examples" / "sklearn" / "experiment.yaml"
    document = yaml.safe_load(example.read_text(encoding="utf-8"))
    document["spec"] |= {"maxTrialCount": 3, "parallelTrialCount": 2}
    example.write_text(yaml.safe_dump(document), encoding="utf-8")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "TUNEWRIGHT", "COV", "VIRTUAL_ENV", "MYPY"))
    }
    clean |= {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "TUNEWRIGHT_HOME": str(tmp_path / "home"),
    }
    run = subprocess.run(
        ["tunewright", "run", "examples/sklearn/experiment.yaml"],
        check=False,
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "--lr=" in run.stdout
    assert "accuracy" in run.stdout
