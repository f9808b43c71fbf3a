"""The product on the cluster: images built and loaded, an overlay applied and waited for."""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from . import kubectl, node, rollout, store, volumes
from .layout import PYTHON, REGISTRY, REPOSITORY
from .say import ClusterError, step

WRITTEN = REPOSITORY / "build" / "deploy"
NAMESPACE = "tunewright"

_REPLACED = (
    *("--prune", "--selector", "app.kubernetes.io/part-of=tunewright"),
    *("--prune-allowlist", "apps/v1/Deployment", "--prune-allowlist", "apps/v1/StatefulSet"),
)
"""What ran of another overlay ends."""


def install() -> None:
    """Install the overlay that OVERLAY names, or roll what has changed of it.

    Raises:
        ClusterError: there is no cluster, or something does not come up; the message says why.
    """
    if not node.is_up():
        raise ClusterError("there is no cluster: start one with `make cluster`")
    with node.alone():
        names = build()
        for name in names:
            store.load(name)
        rendered = list(yaml.safe_load_all(kubectl.run("kustomize", str(WRITTEN))))
        for name in _images(rendered) & store.LOOK_ALIKES.keys():
            store.provide(name)
        with step("installing"):
            _prepare(rendered)
            kubectl.run("apply", "--kustomize", str(WRITTEN), *_REPLACED)
        rollout.wait(NAMESPACE)


def build() -> Sequence[str]:
    """Build the product's images over our base image; return their names.

    Raises:
        ClusterError: one does not build.
    """
    store.provide_base()
    wishes = {"REGISTRY": REGISTRY, "BASE": PYTHON, "BUILDER": "buildah"}
    with step("building the images"):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "deploy" / "images" / "build.py")],
            env={**store.environ(), **wishes},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise ClusterError(f"the images do not build:\n{done.stderr[-3000:]}")
    return done.stdout.split()


def _prepare(rendered: Sequence[Mapping[str, Any]]) -> None:
    """Have what an overlay expects of a cluster: definitions, namespaces, volumes, a password."""
    deploy = REPOSITORY / "deploy"
    kubectl.run("apply", "--server-side", "--kustomize", str(deploy / "crds"))
    kubectl.run("wait", "--for=condition=established", "crd", "--all", "--timeout=60s")
    kubectl.run("apply", "--filename", str(deploy / "base" / "namespace.yaml"))
    if not kubectl.ask("get", "namespace", "kubeflow"):
        kubectl.run("create", "namespace", "kubeflow")
    for claim in _claims(rendered):
        volumes.provide(NAMESPACE, claim)
    there = ("--namespace", NAMESPACE, "secret")
    if not kubectl.ask("get", *there, "tunewright-database"):
        password = f"--from-literal=password={secrets.token_hex(16)}"
        kubectl.run("create", *there, "generic", "tunewright-database", password)


def _claims(rendered: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in rendered:
        name = each["metadata"]["name"]
        if each["kind"] == "PersistentVolumeClaim":
            yield name
        if each["kind"] == "StatefulSet":
            for template in each["spec"]["volumeClaimTemplates"]:
                yield f"{template['metadata']['name']}-{name}-0"


def _images(rendered: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the images of a database server, as containerd calls them."""
    return {
        f"docker.io/library/{container['image']}"
        for each in rendered
        if each["kind"] == "StatefulSet"
        for container in each["spec"]["template"]["spec"]["containers"]
    }
