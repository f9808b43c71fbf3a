"""The product on the cluster: images built and loaded, an overlay applied and waited for."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from . import box, images, kubectl, node, volumes
from .layout import CACHE, PYTHON, REPOSITORY
from .say import ClusterError, step

REGISTRY = "tunewright.test"
WRITTEN = REPOSITORY / "build" / "deploy"
NAMESPACE = "tunewright"
PATIENCE = 180
"""Seconds that each Deployment may take to be ready."""


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
            load(name)
        with step("installing"):
            _prepare()
            kubectl.run("apply", "--kustomize", str(WRITTEN))
        for workload in _workloads():
            with step(f"waiting for {workload}"):
                _await(workload)


def build() -> Sequence[str]:
    """Build the product's images over our base image; return their names.

    Raises:
        ClusterError: one does not build.
    """
    _provide_base()
    wishes = {"REGISTRY": REGISTRY, "BASE": PYTHON, "BUILDER": "buildah"}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "deploy" / "images" / "build.py")],
        env={**_environ(), **wishes},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ClusterError(f"the images do not build:\n{done.stderr[-3000:]}")
    return done.stdout.split()


def load(name: str) -> None:
    """Give an image of the store to containerd, unless it has it.

    Raises:
        ClusterError: it does not take it.
    """
    listing = box.within("ctr", "--namespace", "k8s.io", "images", "list", "--quiet")
    known = subprocess.run(listing, check=False, capture_output=True, text=True).stdout
    if name in known.split():
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, step(f"loading {name}"):
        archive = Path(folder, "image.tar")
        _buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
        if not images.load(archive):
            raise ClusterError(f"containerd does not take {name}")


def _environ() -> Mapping[str, str]:
    """Return the environment of a builder with a store of its own, which holds the cache.

    What it calls `python:3.11-slim` must not be found in the machine's.
    """
    folder = CACHE / "store"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "storage.conf"
    # As containerd's own: where it cannot be had there are no pods either.
    settings = {"driver": "overlay", "graphroot": f"{folder}/root", "runroot": f"{folder}/run"}
    lines = [f'{name} = "{value}"\n' for name, value in settings.items()]
    file.write_text("[storage]\n" + "".join(lines))
    ours = {"CONTAINERS_STORAGE_CONF": str(file), "BUILDAH_ISOLATION": "chroot"}
    return {**os.environ, **ours}


def _provide_base() -> None:
    archive = images.python()
    if not _buildah("images", "--quiet", "--filter", f"reference={PYTHON}"):
        _buildah("pull", "--quiet", f"docker-archive:{archive}")


def _buildah(*words: str) -> str:
    done = subprocess.run(
        ["buildah", *words], env=_environ(), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ClusterError(f"buildah {words[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _prepare() -> None:
    """Have what an overlay expects of a cluster: definitions, namespaces, volumes, a password."""
    deploy = REPOSITORY / "deploy"
    kubectl.run("apply", "--server-side", "--kustomize", str(deploy / "crds"))
    kubectl.run("wait", "--for=condition=established", "crd", "--all", "--timeout=60s")
    kubectl.run("apply", "--filename", str(deploy / "base" / "namespace.yaml"))
    if not kubectl.ask("get", "namespace", "kubeflow"):
        kubectl.run("create", "namespace", "kubeflow")
    rendered = list(yaml.safe_load_all(kubectl.run("kustomize", str(WRITTEN))))
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


def _workloads() -> Sequence[str]:
    found = kubectl.run("get", "statefulset,deployment", "--namespace", NAMESPACE, "-o", "name")
    return found.split()


def _await(workload: str) -> None:
    """Wait until the newest pods of a workload are ready.

    Raises:
        ClusterError: they are not; the message shows their states and last lines.
    """
    there = ("--namespace", NAMESPACE)
    if kubectl.ask("rollout", "status", workload, *there, f"--timeout={PATIENCE}s"):
        return
    raise ClusterError(f"{workload} is not ready:\n" + "\n".join(_troubles()))


def _troubles() -> Iterator[str]:
    """Say of each pod that is not ready what it waits for, and what it said last."""
    there = ("--namespace", NAMESPACE)
    pods = json.loads(kubectl.run("get", "pods", *there, "-o", "json"))["items"]
    for pod in pods:
        name, status = pod["metadata"]["name"], pod["status"]
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield f"{name}: {condition.get('message')}"
        for container in status.get("containerStatuses", ()):
            if not container["ready"]:
                yield f"{name}: {json.dumps(container['state'])}"
                yield kubectl.ask("logs", name, *there, "--tail=15")
    if not pods:
        yield kubectl.ask("events", *there, "--types=Warning")
