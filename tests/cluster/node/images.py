"""Images without a registry: built once, kept as archives, and given to containerd."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import services

from . import box
from .layout import BUSYBOX, CACHE, PYTHON
from .say import ClusterError, step

FOLDER = Path(__file__).parents[1] / "images"

SUITE = "bookworm"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
UNUSED = ("dev", "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man")
FETCHED = ("var/cache/apt", "var/lib/apt/lists")


def make() -> None:
    """Make the archive of every image that is not yet kept."""
    busybox()
    python()


def are_loaded() -> bool:
    """Give every image to containerd; false when it does not yet listen."""
    return all(map(load, (busybox(), python())))


def load(archive: Path) -> bool:
    """Give a docker archive to containerd, for pods to use."""
    command = box.within("ctr", "--namespace", "k8s.io", "images", "import", str(archive))
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def busybox() -> Path:
    """Return the archive of a small shell."""
    archive = _archive(BUSYBOX, "busybox")
    if not archive.exists():
        with tempfile.TemporaryDirectory() as context, step(f"making the image {BUSYBOX}"):
            shutil.copy(str(services.program("/bin/busybox")), context)
            build(FOLDER / "busybox/Containerfile", Path(context), BUSYBOX, archive)
    return archive


def python() -> Path:
    """Return the archive of a look-alike of Docker's Python image; made in a minute."""
    archive = _archive(PYTHON, "python", SUITE, PACKAGES)
    if not archive.exists():
        with tempfile.TemporaryDirectory() as context, step(f"making the image {PYTHON}"):
            _debian(Path(context, "root"), Path(context, "root.tar"))
            build(FOLDER / "python/Containerfile", Path(context), PYTHON, archive)
    return archive


def build(containerfile: Path, context: Path, name: str, archive: Path) -> None:
    """Build an image with buildah, in a store of its own; write it as a docker archive."""
    with tempfile.TemporaryDirectory() as store:
        kept = ("--storage-driver", "vfs", "--root", f"{store}/root", "--runroot", f"{store}/run")
        file = ("--isolation", "chroot", "--file", str(containerfile))
        _run("buildah", *kept, "build", *file, "--tag", name, str(context))
        half = archive.with_suffix(".half")
        half.unlink(missing_ok=True)
        _run("buildah", *kept, "push", name, f"docker-archive:{half}:{name}")
        half.rename(archive)


def _archive(name: str, folder: str, *pins: str) -> Path:
    """Return where an image is kept: another recipe has another place."""
    recipe = (FOLDER / folder / "Containerfile").read_text() + " ".join(pins)
    digest = hashlib.sha256((name + recipe).encode()).hexdigest()[:12]
    place = CACHE / "images"
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{folder}-{digest}.tar"


def _debian(root: Path, archive: Path) -> None:
    """Write the tree of a small Debian with Python, as a tar."""
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root))
    without = [f"--exclude=./{folder}/*" for folder in (*UNUSED, *FETCHED)]
    _run("tar", "--create", "--file", str(archive), "--directory", str(root), *without, ".")


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-2000:]
        raise ClusterError(f"{' '.join(command[:2])} failed:\n{said}")
