"""Build the images of the product: `make images`.

The builder is buildah, podman or docker, whichever works here. How this machine reaches a package
index (pip's own configuration) goes into the build as a secret, and never into an image.
Written beside: `build/deploy`, a kustomization of an overlay with the images that were built.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
WRITTEN = ROOT / "build" / "deploy"
IMAGES = {"tunewright": "tunewright", "tunewright-collector": "collector"}
"""Each image as manifests call it, with the folder of its Containerfile."""

PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout")
AUTHORITIES = "/run/secrets/authorities"


class BuildError(Exception):
    """The images cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds images, and the words in which it differs from the others."""

    name: str
    works: Sequence[str]  # ends with 0 where it can be used
    one: Sequence[str]  # builds for one architecture
    many: Sequence[str]  # builds for several, under one name
    push_one: Sequence[str]
    push_many: Sequence[str]  # empty: `many` pushes


BUILDERS = (
    Builder(
        "docker",
        works=("docker", "version"),
        one=("docker", "build", "--tag"),
        many=("docker", "buildx", "build", "--push", "--tag"),
        push_one=("docker", "push"),
        push_many=(),
    ),
    *(
        Builder(
            name,
            works=(name, "info"),
            one=(name, "build", "--layers", "--format", "docker", "--tag"),
            many=(name, "build", "--layers", "--format", "docker", "--manifest"),
            push_one=(name, "push"),
            push_many=(name, "manifest", "push", "--all"),
        )
        for name in ("podman", "buildah")
    ),
)


def find(named: str) -> Builder:
    """Return the builder of that name, or the first that works.

    Raises:
        BuildError: there is none.
    """
    for builder in BUILDERS:
        if builder.name == (named or builder.name) and _works(builder):
            return builder
    if named:
        raise BuildError(f"{named} does not work here: leave BUILDER out to take one that does")
    names = ", ".join(builder.name for builder in BUILDERS)
    raise BuildError(f"none of {names} works here: install one, or start Docker's daemon")


def _works(builder: Builder) -> bool:
    if shutil.which(builder.name) is None:
        return False
    return subprocess.run(builder.works, check=False, capture_output=True).returncode == 0


def content(root: Path, base: str) -> str:
    """Return a hash of all that images are made from: a change of code is another tag."""
    digest = hashlib.sha256(base.encode())
    for path in sorted(path for path in _sources(root) if _is_source(path)):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(root: Path) -> Iterator[Path]:
    yield from (root / "pyproject.toml", root / "__init__.py", root / "__main__.py")
    yield from (root / "deploy" / "images").rglob("*")
    for room in root.iterdir():
        if (room / "__init__.py").exists():
            yield from room.rglob("*")


def _is_source(path: Path) -> bool:
    return path.is_file() and path.parent.name != "__pycache__"


def pip_configuration(listed: str) -> tuple[str, str | None]:
    """Return from `pip config list` what a build needs, and the file of trusted authorities."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        found[key.rpartition(".")[2]] = literal_eval(value)
    lines = [f"{name} = {found[name]}" for name in PIP_SETTINGS if name in found]
    if "cert" in found:
        lines.append(f"cert = {AUTHORITIES}")
    return "\n".join(["[global]", *lines, ""]), found.get("cert")


def build(builder: Builder, names: Mapping[str, str], base: str, architectures: str) -> None:
    """Build each image under its full name.

    Raises:
        BuildError: a build failed; what it said is shown above.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    configuration, authorities = pip_configuration(listed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pip.conf")
        file.write_text(configuration, encoding="utf-8")
        secrets = ["--secret", f"id=pip,src={file}"]
        if authorities:
            secrets += ["--secret", f"id=authorities,src={authorities}"]
        several = "," in architectures
        for image, full in names.items():
            _run(
                *(builder.many if several else builder.one),
                full,
                *_platforms(architectures),
                *("--file", str(HERE / IMAGES[image] / "Containerfile")),
                *("--build-arg", f"BASE={base}"),
                *secrets,
                str(ROOT),
            )


def _platforms(architectures: str) -> Sequence[str]:
    if not architectures:
        return ()
    return ("--platform", ",".join(f"linux/{each}" for each in architectures.split(",")))


def push(builder: Builder, names: Mapping[str, str], *, several: bool) -> None:
    """Push what was built to the registry in its name."""
    command = builder.push_many if several else builder.push_one
    for full in names.values():
        if command:
            _run(*command, full)


def _run(*command: str) -> None:
    began = time.monotonic()
    done = subprocess.run(command, check=False, stdout=sys.stderr)
    what = " ".join(command[:2])
    if done.returncode != 0:
        raise BuildError(f"`{what}` failed with {done.returncode}; what it said is above")
    sys.stderr.write(f"{what}: {time.monotonic() - began:.0f} s\n")


def write(names: Mapping[str, str], overlay: str) -> None:
    """Write the kustomization of an overlay, by name or by folder, with these images.

    Raises:
        BuildError: there is no such overlay.
    """
    folder = _folder(overlay)
    WRITTEN.mkdir(parents=True, exist_ok=True)
    files = (folder / "config.yaml", ROOT / "deploy" / "base" / "config.yaml")
    config = next(file for file in files if file.exists()).read_text(encoding="utf-8")
    config = re.sub(r"\btunewright-collector:\S+", names["tunewright-collector"], config)
    (WRITTEN / "config.yaml").write_text(config, encoding="utf-8")
    name, _, tag = names["tunewright"].rpartition(":")
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(folder, WRITTEN)],
        "images": [{"name": "tunewright", "newName": name, "newTag": tag}],
        "configMapGenerator": [
            {
                "name": "tunewright-config",
                "namespace": "tunewright",
                "behavior": "replace",
                "files": ["config.yaml"],
            }
        ],
    }
    (WRITTEN / "kustomization.yaml").write_text(
        json.dumps(kustomization, indent=2) + "\n", encoding="utf-8"
    )


def _folder(overlay: str) -> Path:
    ours = ROOT / "deploy" / "overlays"
    for folder in (ours / overlay, Path(overlay).absolute()):
        if (folder / "kustomization.yaml").is_file():
            return folder
    known = ", ".join(sorted(each.name for each in ours.iterdir()))
    raise BuildError(f"there is no overlay {overlay}: name one of {known}, or a folder of yours")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What stands behind `make images`, by its words in capitals."""

    registry: str = ""  # stands before the images' names
    tag: str = ""  # by default a hash of what they are made from
    base: str = "python:3.13-slim"  # the image below
    arch: str = ""  # amd64, arm64 or both; by default this machine's
    overlay: str = "standalone"  # the one that is written out, or a folder of another
    builder: str = ""  # by default the first that works
    push: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Wishes":
        """Return what the environment says; make puts its command line there."""
        names = (each.name for each in fields(cls))
        return cls(**{name: environ[name.upper()] for name in names if environ.get(name.upper())})

    def names(self) -> Mapping[str, str]:
        """Return each image's full name."""
        before = f"{self.registry.rstrip('/')}/" if self.registry else ""
        tag = self.tag or content(ROOT, self.base)
        return {image: f"{before}{image}:{tag}" for image in IMAGES}


def make(wishes: Wishes) -> Mapping[str, str]:
    """Do what is wished; return the names of the images.

    Raises:
        BuildError: it cannot be done here.
    """
    several = "," in wishes.arch
    if several and not wishes.push:
        raise BuildError("images of several architectures are made for a registry: add PUSH=1")
    names = wishes.names()
    builder = find(wishes.builder)
    build(builder, names, wishes.base, wishes.arch)
    if wishes.push:
        push(builder, names, several=several)
    write(names, wishes.overlay)
    return names


def main() -> int:
    try:
        names = make(Wishes.read(os.environ))
    except (BuildError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("\n".join(names.values()) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
