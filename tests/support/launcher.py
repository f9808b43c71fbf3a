"""The launcher, compiled where it is needed."""

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "metrics_collector" / "launcher" / "launcher.c"
STRICT = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


def built(folder: Path, *options: str) -> Path:
    """Compile it into the folder; `options` are the compiler's."""
    program = folder / "launcher"
    subprocess.run(["cc", *STRICT, *options, "-o", program, SOURCE], check=True)
    return program
