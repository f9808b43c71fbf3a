"""The programs of the node, built once from their Go modules."""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from .layout import CACHE, KUBERNETES, SOURCES
from .say import ClusterError, step

PROGRAMS = {
    "etcd": "kubernetes/cmd/etcd",
    "kube-apiserver": "kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "kubernetes/cmd/kube-scheduler",
    "kubelet": "kubernetes/cmd/kubelet",
    "kube-proxy": "kubernetes/cmd/kube-proxy",
    "kubectl": "kubernetes/cmd/kubectl",
    "coredns": "coredns",
}
"""Each program, with the folder of its `main`."""

NEEDED = 8 << 30
"""Bytes of disk that building takes: modules, the compiler's cache and the programs."""

_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_STAMP = "k8s.io/component-base/version"
_LINK = (
    f"-s -w -X {_STAMP}.gitVersion=v{KUBERNETES}"
    f" -X {_STAMP}.gitMajor={_MAJOR} -X {_STAMP}.gitMinor={_MINOR}"
)


@functools.cache
def programs() -> Path:
    """Return the folder of the built programs; the first time takes ten minutes.

    Raises:
        ClusterError: there is no Go, too little disk, or a program does not build.
    """
    folder = _folder()
    missing = [name for name in PROGRAMS if not (folder / name).exists()]
    if missing:
        check()
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            with step(f"building {name}"):
                _build(name, folder / name)
    return folder


def built() -> Path | None:
    """Return the folder of the programs if all of them are built."""
    folder = _folder()
    return folder if all((folder / name).exists() for name in PROGRAMS) else None


def _folder() -> Path:
    return CACHE / f"programs-{_digest()}"


def _build(name: str, target: Path) -> None:
    compile_go(SOURCES / PROGRAMS[name], ".", target, _LINK)


def compile_go(module: Path, package: str, target: Path, link: str, **environ: str) -> None:
    """Compile a package of a module, under another name first: what is there is whole.

    Raises:
        ClusterError: it does not compile.
    """
    half = target.with_suffix(".half")
    done = subprocess.run(
        ["go", "build", "-trimpath", "-ldflags", link, "-o", str(half), package],
        cwd=module,
        env={**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", **environ},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ClusterError(f"{target.name} does not build:\n{done.stderr[-2000:]}")
    half.rename(target)


def check(place: Path = CACHE) -> None:
    """Check that programs can be built here.

    Raises:
        ClusterError: there is no Go, or too little disk.
    """
    if shutil.which("go") is None:
        raise ClusterError("there is no Go on the PATH: install Go 1.26 or newer")
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if free < NEEDED:
        raise ClusterError(
            f"building needs {NEEDED >> 30} GiB of disk, and {place} has {free / 2**30:.1f}: "
            "free some, or name another place in XDG_CACHE_HOME"
        )


def _digest() -> str:
    """Return a hash of the pins: another set of programs has a folder of its own."""
    digest = hashlib.sha256(_LINK.encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"}:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
