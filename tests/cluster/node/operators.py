"""The operators that users have: built from their Go modules, installed by their own manifests."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import build, kubectl, node, rollout, store
from .catalogue import GROUPS, Operator, Program
from .layout import CACHE, REGISTRY
from .say import ClusterError, step

FOLDER = Path(__file__).parents[1] / "operators"


def install_named() -> None:
    """Have the groups run that OPERATORS names; without it, all of them.

    Raises:
        ClusterError: as of `install`, or there is no such group.
    """
    named = os.environ.get("OPERATORS", "").split() or list(GROUPS)
    unknown = [each for each in named if each not in GROUPS]
    if unknown:
        raise ClusterError(f"OPERATORS: no {' '.join(unknown)}; there are {' '.join(GROUPS)}")
    install(*named)


def install(*groups: str) -> None:
    """Have the operators of these groups run; what is not built yet takes minutes.

    Raises:
        ClusterError: there is no cluster, or one does not come up; the message says why.
    """
    if not node.is_up():
        raise ClusterError("there is no cluster: start one with `make cluster`")
    operators = [operator for group in groups for operator in GROUPS[group]]
    with node.alone():
        for operator in operators:
            for program in operator.programs:
                _provide(operator, program)
            for image in operator.images:
                store.provide(image)
        for operator in operators:
            with step(f"installing {operator.name}"):
                _apply(operator)
        for operator in operators:
            rollout.wait(operator.namespace)


def _provide(operator: Operator, program: Program) -> None:
    """Have the image of a program in containerd."""
    name = f"{REGISTRY}/{program.name}:{operator.version}"
    if store.is_loaded(name):
        return
    built = _built(operator, program)
    stands = ("--build-arg", f"PLACE={program.place}", "--build-arg", f"RUNS_AS={program.runs_as}")
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(built, Path(context, "program"))
        file = str(FOLDER / "Containerfile")
        store.buildah(
            "build", "--format", "docker", *stands, "--file", file, "--tag", name, context
        )
    store.load(name)


def _built(operator: Operator, program: Program) -> Path:
    """Return a program, built once: another set of requirements has another place."""
    source = FOLDER / operator.requirer
    pins = (source / "go.mod").read_bytes() + (source / "go.sum").read_bytes()
    folder = CACHE / f"operators-{hashlib.sha256(pins).hexdigest()[:12]}"
    target = folder / program.name
    if not target.exists():
        build.check()
        folder.mkdir(parents=True, exist_ok=True)
        with step(f"building {program.name}"), _source(operator, program) as place:
            build.compile_go(place, program.package, target, "-s -w", CGO_ENABLED="0")
    return target


@contextmanager
def _source(operator: Operator, program: Program) -> Iterator[Path]:
    """Yield where it is built: where it is required, or in its module with its links in place."""
    if not program.links:
        yield FOLDER / operator.requirer
        return
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(_module(operator), Path(folder, "module"))
        for link, target in program.links.items():
            (copied / link).symlink_to(target)
        yield copied


def _apply(operator: Operator) -> None:
    """Apply its own manifests, which its module brings, as our kustomization changes them."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, operator.name)
        shutil.copytree(FOLDER / operator.name, place)
        shutil.copytree(_module(operator) / operator.manifests, place / "manifests")
        # On the server's side: what kubectl would note beside the definitions is too large.
        kubectl.run("apply", "--server-side", "--force-conflicts", "--kustomize", str(place))


def _module(operator: Operator) -> Path:
    done = subprocess.run(
        ["go", "list", "-m", "-json", operator.module],
        cwd=FOLDER / operator.requirer,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(json.loads(done.stdout)["Dir"])
