"""The operators that users have: built from their Go modules, installed by their own manifests."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import build, kubectl, node, rollout, store
from .layout import CACHE, REGISTRY
from .say import ClusterError, step

FOLDER = Path(__file__).parents[1] / "operators"


@dataclass(frozen=True, slots=True)
class Operator:
    """One of them: its version is that of its image, and stands in its kustomization too."""

    name: str
    version: str
    requirer: str  # the folder whose go.mod requires it
    package: str
    module: str
    manifests: str
    namespace: str


OPERATORS = (
    Operator(
        name="jobset",
        version="0.8.2",
        requirer="trainer",
        package="sigs.k8s.io/jobset",
        module="sigs.k8s.io/jobset",
        manifests="config",
        namespace="jobset-system",
    ),
    Operator(
        name="trainer",
        version="2.0.0",
        requirer="trainer",
        package="github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager",
        module="github.com/kubeflow/trainer/v2",
        manifests="manifests",
        namespace="kubeflow-system",
    ),
    Operator(
        name="training-operator",
        version="1.8.1",
        requirer="training-operator",
        package="github.com/kubeflow/training-operator/cmd/training-operator.v1",
        module="github.com/kubeflow/training-operator",
        manifests="manifests",
        namespace="kubeflow",
    ),
)
"""In the order in which they are installed: each finds its definitions."""


def install() -> None:
    """Have every operator run; built once, which takes six minutes.

    Raises:
        ClusterError: there is no cluster, or one does not come up; the message says why.
    """
    if not node.is_up():
        raise ClusterError("there is no cluster: start one with `make cluster`")
    with node.alone():
        for operator in OPERATORS:
            _provide(operator)
        store.provide(store.ALPINE)
        for operator in OPERATORS:
            with step(f"installing {operator.name}"):
                _apply(operator)
        for operator in OPERATORS:
            rollout.wait(operator.namespace)


def _provide(operator: Operator) -> None:
    """Have its image in containerd."""
    name = f"{REGISTRY}/{operator.name}:{operator.version}"
    if store.is_loaded(name):
        return
    program = _program(operator)
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(program, Path(context, "program"))
        file = str(FOLDER / "Containerfile")
        store.buildah("build", "--format", "docker", "--file", file, "--tag", name, context)
    store.load(name)


def _program(operator: Operator) -> Path:
    """Return its program, built once: another set of requirements has another place."""
    source = FOLDER / operator.requirer
    pins = (source / "go.mod").read_bytes() + (source / "go.sum").read_bytes()
    folder = CACHE / f"operators-{hashlib.sha256(pins).hexdigest()[:12]}"
    target = folder / operator.name
    if not target.exists():
        build.check()
        folder.mkdir(parents=True, exist_ok=True)
        with step(f"building {operator.name}"):
            build.compile_go(source, operator.package, target, "-s -w", CGO_ENABLED="0")
    return target


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
