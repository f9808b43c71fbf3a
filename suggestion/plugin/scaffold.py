"""A package to begin an algorithm or a rule with: its tests pass, an experiment uses it."""

import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from ...api.errors import Conflict, Fault, Invalid
from .. import registry
from ..early_stopping import registry as stopping_rules

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_COMMON = ("pyproject.toml", "README.md", "experiment.yaml")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What can be begun: `folder` holds its files, `module` is where the idea goes.

    `names` are those that are taken; `what` says in messages what it is.
    """

    folder: str
    module: str
    names: Callable[[], Sequence[str]]
    what: str

    @property
    def places(self) -> Mapping[str, str]:
        """Where each file goes; `{package}` stands for the package's name."""
        return {
            **{name: name for name in _COMMON},
            f"{self.module}.py": f"src/{{package}}/{self.module}.py",
            f"test_{self.module}.py": f"tests/test_{self.module}.py",
        }


ALGORITHM = Skeleton("algorithm", "algorithm", registry.names, "an algorithm")
EARLY_STOPPING = Skeleton("early_stopping", "rule", stopping_rules.names, "an early-stopping rule")


def write(name: str, folder: Path, skeleton: Skeleton = ALGORITHM) -> Sequence[Path]:
    """Write a package into a new folder; return its files.

    Raises:
        Invalid: the name is none that the class and a package can have.
        Conflict: the folder is there, with something in it.
    """
    _check(name, skeleton)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty: name another with --directory")
    package = name.replace("-", "_")
    words = {
        "name": name,
        "package": package,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }
    sources = files(__package__) / "skeleton" / skeleton.folder
    texts = {
        folder / place.format(package=package): Template(
            (sources / f"{source}.txt").read_text(encoding="utf-8")
        ).substitute(words)
        for source, place in skeleton.places.items()
    }
    texts[folder / "src" / package / "__init__.py"] = ""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(texts)


def _check(name: str, skeleton: Skeleton) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        remedy = "use lower-case letters and digits, in words joined by -, as in my-idea"
        raise Invalid([Fault("NAME", f"{name!r} is not a name for {skeleton.what}", remedy)])
    if name in skeleton.names():
        raise Invalid([Fault("NAME", f"{skeleton.what} {name} is there already", "take another")])
