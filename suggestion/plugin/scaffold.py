"""A package to begin an algorithm with: its tests pass, an experiment uses it."""

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from ...api.errors import Conflict, Fault, Invalid
from .. import registry

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "experiment.yaml": "experiment.yaml",
    "algorithm.py": "src/{package}/algorithm.py",
    "test_algorithm.py": "tests/test_algorithm.py",
}


def write(name: str, folder: Path) -> Sequence[Path]:
    """Write the package of an algorithm into a new folder; return its files.

    Raises:
        Invalid: the name is none that an algorithm and a package can have.
        Conflict: the folder is there, with something in it.
    """
    _check(name)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty: name another with --directory")
    package = name.replace("-", "_")
    words = {
        "name": name,
        "package": package,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }
    skeleton = files(__package__) / "skeleton"
    texts = {
        folder / place.format(package=package): Template(
            (skeleton / f"{source}.txt").read_text(encoding="utf-8")
        ).substitute(words)
        for source, place in _FILES.items()
    }
    texts[folder / "src" / package / "__init__.py"] = ""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(texts)


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        remedy = "use lower-case letters and digits, in words joined by -, as in my-algorithm"
        raise Invalid([Fault("NAME", f"{name!r} is no name of an algorithm", remedy)])
    if name in registry.names():
        raise Invalid([Fault("NAME", f"an algorithm {name} is there already", "take another")])
