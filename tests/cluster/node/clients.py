"""Images with the clients that users have, as their notebooks and trials have them."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import images, node, store
from .layout import PYTHON, REGISTRY
from .say import ClusterError, step


@dataclass(frozen=True, slots=True)
class Client:
    """One of them; `alone` are the packages whose requirements cannot all be met at once."""

    name: str
    packages: Sequence[str]
    alone: Sequence[str] = ()


KATIB = Client(
    "katib-sdk",
    # Of kubernetes 36 and later the SDK's own bodies are refused: they are no plain documents.
    ("protobuf>=4.25,<5", "grpcio>=1.64.1", "kubernetes>=31,<36", "six", "setuptools"),
    ("kubeflow-katib==0.19.0", "kubeflow-training==1.9.0"),
)
KUBEFLOW = Client("kubeflow-sdk", ("kubeflow==0.5.0",))


def provide(client: Client) -> str:
    """Have a client's image in containerd; return its name.

    Raises:
        ClusterError: it does not build.
    """
    recipe = images.FOLDER / client.name / "Containerfile"
    pins = "\n".join((*client.packages, *client.alone, recipe.read_text()))
    name = f"{REGISTRY}/{client.name}:{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    with node.alone():
        if not store.is_loaded(name):
            store.provide_base()
            with step(f"making the image {name}"), tempfile.TemporaryDirectory() as context:
                _build(client, Path(context), recipe, name)
            store.load(name)
    return name


def _build(client: Client, context: Path, recipe: Path, name: str) -> None:
    packages = context / "packages"
    _install(packages, client.packages)
    if client.alone:
        _install(packages, ("--no-deps", *client.alone))
    based = ("--build-arg", f"BASE={PYTHON}", "--format", "docker", "--file", str(recipe))
    store.buildah("build", *based, "--tag", name, str(context))


def _install(folder: Path, words: Sequence[str]) -> None:
    """Install packages for the image's Python, whatever that of the tests is."""
    there = ("--python-version", "3.11", "--only-binary", ":all:", "--target", str(folder))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *there, *words],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ClusterError(f"pip does not install {' '.join(words)}:\n{done.stderr[-2000:]}")
