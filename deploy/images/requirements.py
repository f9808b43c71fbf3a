"""Print what extras of the package need: `python requirements.py pyproject.toml EXTRA...`.

Dependencies are a layer of their own, which outlives changes of the code.
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str, extras: list[str]) -> list[str]:
    """Return the requirements of the package with these extras, in order and each once."""
    project = tomllib.loads(pyproject)["project"]
    optional = project["optional-dependencies"]
    return sorted({*project["dependencies"], *(each for name in extras for each in optional[name])})


if __name__ == "__main__":
    _, file, *named = sys.argv
    sys.stdout.write("\n".join(requirements(Path(file).read_text(encoding="utf-8"), named)) + "\n")
