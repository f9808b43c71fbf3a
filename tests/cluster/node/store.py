"""Images that are built over others, in a builder's store of our own that keeps their layers.

What it calls `python:3.11-slim` must not be found in the machine's own store.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import box, images
from .layout import CACHE, PYTHON
from .say import ClusterError, step

FOLDER = CACHE / "store"
ALPINE = "docker.io/library/alpine:3.10"
KUBECTL_DELIVERY = "docker.io/kubeflow/kubectl-delivery:latest"
LOOK_ALIKES = {
    ALPINE: "alpine",
    KUBECTL_DELIVERY: "kubectl-delivery",
    "docker.io/library/mysql:8.4": "mysql",
    "docker.io/library/postgres:17": "postgres",
}
"""Images that manifests name and that cannot be had here, each with the folder of ours."""


def environ() -> Mapping[str, str]:
    """Return the environment in which a builder uses the store."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "storage.conf"
    # As containerd's own: where it cannot be had there are no pods either.
    settings = {"driver": "overlay", "graphroot": f"{FOLDER}/root", "runroot": f"{FOLDER}/run"}
    lines = [f'{name} = "{value}"\n' for name, value in settings.items()]
    file.write_text("[storage]\n" + "".join(lines))
    ours = {"CONTAINERS_STORAGE_CONF": str(file), "BUILDAH_ISOLATION": "chroot"}
    return {**os.environ, **ours}


def provide_base() -> None:
    """Have our look-alike of Docker's Python image in the store."""
    archive = images.python()
    if not buildah("images", "--quiet", "--filter", f"reference={PYTHON}"):
        buildah("pull", "--quiet", f"docker-archive:{archive}")


def provide(name: str) -> None:
    """Have one of our look-alikes over that base in containerd, under the name of the real one.

    Raises:
        ClusterError: it does not build.
    """
    if is_loaded(name):
        return
    provide_base()
    folder = images.FOLDER / LOOK_ALIKES[name]
    with step(f"making the image {name}"):
        based = ("--build-arg", f"BASE={PYTHON}", "--layers", "--format", "docker")
        buildah("build", *based, "--tag", name, str(folder))
    load(name)


def buildah(*words: str) -> str:
    """Return what buildah prints.

    Raises:
        ClusterError: it failed; the message is its own.
    """
    done = subprocess.run(
        ["buildah", *words], env=environ(), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ClusterError(f"buildah {words[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def is_loaded(name: str) -> bool:
    """Whether containerd has the image."""
    listing = box.within("ctr", "--namespace", "k8s.io", "images", "list", "--quiet")
    done = subprocess.run(listing, check=False, capture_output=True, text=True)
    return name in done.stdout.split()


def load(name: str) -> None:
    """Give an image of the store to containerd, unless it has it.

    Raises:
        ClusterError: it does not take it.
    """
    if is_loaded(name):
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, step(f"loading {name}"):
        archive = Path(folder, "image.tar")
        buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
        if not images.load(archive):
            raise ClusterError(f"containerd does not take {name}")
