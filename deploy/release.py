"""Make what a release consists of, in build/release: `make release`.

    tunewright-VERSION-py3-none-any.whl
    install.yaml    the definitions and an overlay, with the images that were built
    NOTES.md        what CHANGELOG.md says of the version
    SHA256SUMS

It takes the words of `make images` (REGISTRY= TAG= PUSH=1 OVERLAY= …). Without a builder of images,
or with IMAGES=0, the manifest names the images that REGISTRY and TAG say, and none is built.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "release"
RENDERERS: Sequence[Sequence[str]] = (("kubectl", "kustomize"), ("kustomize", "build"))

sys.path.insert(0, str(Path(__file__).parent / "images"))

import build as images  # noqa: E402 - the program beside this one


class ReleaseError(Exception):
    """The release cannot be made; the message says what to do."""


def version(root: Path) -> str:
    """Return the version that pyproject.toml says."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def notes(changelog: str, wanted: str) -> str:
    """Return a version's section of the changelog; what is unreleased where it has none yet.

    Raises:
        ReleaseError: the section is missing, or empty.
    """
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    found = {section.split(maxsplit=1)[0].strip("[]"): section for section in sections}
    section = found.get(wanted) or found.get("Unreleased") or ""
    body = section.partition("\n")[2].strip()
    if not body:
        raise ReleaseError(f"CHANGELOG.md says nothing of {wanted}: write its section")
    return f"# Tunewright {wanted}\n\n{body}\n"


def render(folder: Path) -> str:
    """Return the manifest of a kustomization.

    Raises:
        ReleaseError: nothing here renders it, or it is wrong.
    """
    for program, *words in RENDERERS:
        if shutil.which(program) is None:
            continue
        done = subprocess.run(
            [program, *words, str(folder)], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ReleaseError(f"{folder} cannot be rendered: {done.stderr.strip()}")
        return done.stdout
    raise ReleaseError("neither kubectl nor kustomize is here: install one of them")


def manifest() -> str:
    """Return one document for `kubectl apply --server-side -f`: definitions first."""
    parts = (render(ROOT / "deploy" / "crds"), render(images.WRITTEN))
    return "---\n".join(parts)


def image_names(wishes: images.Wishes, *, wanted: bool) -> None:
    """Build the images where a builder is, and write a kustomization that names them.

    Raises:
        ReleaseError: a build failed; what it said is shown above.
    """
    try:
        if wanted:
            images.find(wishes.builder)
    except images.BuildError as error:
        sys.stderr.write(f"no images: {error}\n")
        wanted = False
    if not wanted:
        images.write(wishes.names(), wishes.overlay)
        return
    try:
        images.make(wishes)
    except images.BuildError as error:
        raise ReleaseError(f"{error}; IMAGES=0 leaves the images out") from error


def wheel(out: Path) -> None:
    """Build the wheel.

    Raises:
        ReleaseError: it failed; what it said is shown above.
    """
    for stale in (*ROOT.glob("build/lib*"), *ROOT.glob("build/bdist*")):
        shutil.rmtree(stale)  # modules that are gone would come along
    words = ("-m", "build", "--wheel", "--outdir", str(out), str(ROOT))
    if subprocess.run((sys.executable, *words), check=False, stdout=sys.stderr).returncode != 0:
        raise ReleaseError("the wheel cannot be built; what was said is above")


def sums(out: Path) -> str:
    """Return a line for `sha256sum --check` for each file of the release."""
    files = sorted(path for path in out.iterdir() if path.name != "SHA256SUMS")
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
    )


def make() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (OUT / "NOTES.md").write_text(notes(changelog, version(ROOT)), encoding="utf-8")
    wheel(OUT)
    wishes = images.Wishes.read({"TAG": version(ROOT), **os.environ})
    image_names(wishes, wanted=os.environ.get("IMAGES", "1") != "0")
    (OUT / "install.yaml").write_text(manifest(), encoding="utf-8")
    (OUT / "SHA256SUMS").write_text(sums(OUT), encoding="utf-8")


def main() -> int:
    try:
        make()
    except (ReleaseError, images.BuildError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}\n" for path in sorted(OUT.iterdir())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
