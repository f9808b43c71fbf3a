"""The cluster as a whole: up, down, and mended when it was left half dead."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import services

from . import build, images, machine, network, pki, processes, programs
from .layout import ETCD, FRONT, NODE_NAME, RUN, STATE
from .say import ClusterError, step

_NAMES = ("containerd", "etcd", "apiserver", "controller-manager", "scheduler", "kubelet", "proxy",
          "coredns")  # fmt: skip


def up() -> None:
    """Have a cluster: the one that runs, or a new one.

    Raises:
        ClusterError: it cannot be had here; the message says what to do.
    """
    _check()
    folder = build.programs()
    if not is_up():
        down()
        _begin(folder)
    _show(folder)
    print(f"the cluster is up: export KUBECONFIG={FRONT}/kubeconfig PATH={FRONT}/bin:$PATH")


def _begin(folder: Path) -> None:
    machine.remember()
    with step("making keys"):
        pki.make()
        for path, text in programs.files().items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(text)
            path.chmod(0o600)
    with step("starting the control plane"):
        network.make_bridge()
        _start_control_plane(folder)
    with step("starting the node"):
        _start_node(folder)


def down() -> None:
    """End it, whatever is left of it, and remove every trace."""
    for name in ("coredns", "proxy", "kubelet", "scheduler", "controller-manager"):
        processes.stop(name, patience=10.0)
    _end_pods()
    for name in ("containerd", "apiserver", "etcd"):
        processes.stop(name)
    machine.clean()
    network.remove()
    for place in (STATE, RUN, FRONT):
        shutil.rmtree(place, ignore_errors=True)


def is_up() -> bool:
    """Whether everything runs and the API server answers."""
    return all(map(processes.is_alive, _NAMES)) and kubectl("get", "--raw", "/readyz") == "ok"


def kubectl(*words: str, given: str = "") -> str:
    """Run kubectl as administrator; an empty answer when it fails."""
    config = programs.CONFIG / "admin.kubeconfig"
    done = subprocess.run(
        [str(build.programs() / "kubectl"), "--kubeconfig", str(config), *words],
        input=given,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout if done.returncode == 0 else ""


def _check() -> None:
    if os.geteuid() != 0:
        raise ClusterError("the cluster needs root: namespaces, mounts and a bridge are made")
    missing = services.lacking(services.CLUSTER_PACKAGES)
    if missing:
        raise ClusterError(f"not installed: {', '.join(missing)}; `make cluster` installs them")


def _start_control_plane(folder: Path) -> None:
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": "/root"}

    def start(name: str, command: Sequence[str]) -> None:
        processes.start(name, command, environ)

    start("etcd", programs.etcd())
    processes.await_("etcd's answer", lambda: _answers(f"{ETCD}/health"), "etcd")
    start("apiserver", programs.apiserver())
    ready: Callable[[], object] = lambda: kubectl("get", "--raw", "/readyz")  # noqa: E731
    processes.await_("the API server", ready, "apiserver")
    start("controller-manager", programs.controller_manager())
    start("scheduler", programs.scheduler())


def _start_node(folder: Path) -> None:
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": "/root"}
    processes.start("containerd", programs.containerd(), environ)
    processes.await_("containerd", lambda: _ctr("version") == 0, "containerd")
    images.load_all()
    processes.start("kubelet", programs.kubelet(), environ)
    processes.start("proxy", programs.proxy(), environ)
    kubectl("apply", "-f", str(programs.CONFIG / "dns.yaml"))
    processes.start("coredns", programs.coredns(), environ)
    processes.await_("the node", _is_ready, "kubelet")
    processes.await_("DNS", lambda: _answers("http://127.0.0.1:10055/ready"), "coredns")
    account: Callable[[], object] = lambda: kubectl("get", "serviceaccount", "default")  # noqa: E731
    processes.await_("the service account `default`", account, "controller-manager")


def _show(folder: Path) -> None:
    (FRONT / "bin").mkdir(parents=True, exist_ok=True)
    config = FRONT / "kubeconfig"
    config.write_text(pki.kubeconfig("admin"))
    config.chmod(0o600)
    link = FRONT / "bin" / "kubectl"
    link.unlink(missing_ok=True)
    link.symlink_to(folder / "kubectl")


def _is_ready() -> bool:
    node = json.loads(kubectl("get", "node", NODE_NAME, "-o", "json") or "{}")
    conditions: list[Mapping[str, str]] = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _ctr(*words: str) -> int:
    return subprocess.run([*images.ctr(), *words], check=False, capture_output=True).returncode


def _end_pods() -> None:
    """End what runs in containers: neither the kubelet's nor containerd's end does."""
    if not processes.is_alive("containerd"):
        return
    listed = subprocess.run(
        [*images.ctr(), "tasks", "list", "--quiet"], check=False, capture_output=True, text=True
    )
    for task in listed.stdout.split():
        _ctr("tasks", "kill", "--all", "--signal", "SIGKILL", task)
        _ctr("tasks", "delete", "--force", task)
        _ctr("containers", "delete", task)
