"""Katib's own SDK, with the packages that it needs, in a folder beside the environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(sys.prefix, "kubeflow-katib-0.19-kubernetes-35")
SDK = ("kubeflow-katib==0.19.0", "kubeflow-training==1.9.0")
# Of kubernetes 36 and later the SDK's own bodies are refused: they are no plain documents.
NEEDED = ("protobuf>=4.25,<5", "grpcio>=1.64.1", "kubernetes>=31,<36", "six", "setuptools")


def installed() -> Path:
    """Return the folder, made once by pip."""
    if not FOLDER.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as work:
            made = Path(work, "made")
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(made)]
            subprocess.run([*pip, *NEEDED], check=True)
            subprocess.run([*pip, "--no-deps", *SDK], check=True, stderr=subprocess.DEVNULL)
            if not FOLDER.exists():
                made.rename(FOLDER)
    return FOLDER


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python program that sees the SDK before everything else."""
    path = os.pathsep.join([str(installed()), *(entry for entry in sys.path if entry)])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "program.py")  # the SDK reads the source of what it tunes
        file.write_text(program)
        return subprocess.run(
            [sys.executable, str(file), *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
