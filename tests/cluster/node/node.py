"""The cluster as a whole: up, down, and mended when it was left half dead."""

import fcntl
import json
import os
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import services

from . import box, build, images, kubectl, network, pki, processes, programs
from .layout import API_PORT, CACHE, DNS_READY, FRONT, NODE, NODE_NAME
from .say import ClusterError, say, step

COMMANDS = {
    "etcd": programs.etcd,
    "containerd": programs.containerd,
    "kube-apiserver": programs.apiserver,
    "kube-controller-manager": programs.controller_manager,
    "kube-scheduler": programs.scheduler,
    "kubelet": programs.kubelet,
    "kube-proxy": programs.proxy,
    "coredns": programs.coredns,
}


def up() -> None:
    """Have a cluster: the one that runs, or a new one.

    Raises:
        ClusterError: it cannot be had here; the message says what to do.
    """
    _check()
    with alone():
        build.programs()
        images.make()
        if not is_up():
            box.remove()
            network.check()
            _begin()
    _show()
    say(f"the cluster is up: export KUBECONFIG={FRONT}/kubeconfig PATH={FRONT}/bin:$PATH")


def down() -> None:
    """End it, whatever is left of it, and remove every trace.

    Raises:
        ClusterError: we may not.
    """
    _check_root()
    with alone():
        box.remove()
    shutil.rmtree(FRONT, ignore_errors=True)


def is_up() -> bool:
    """Whether everything runs and the API server answers."""
    return all(map(processes.pid, COMMANDS)) and _api_is_ready()


def _check_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("the cluster needs root: it makes namespaces and mounts")


def _check() -> None:
    _check_root()
    missing = services.lacking(services.CLUSTER_PACKAGES)
    if missing:
        raise ClusterError(f"not installed: {', '.join(missing)}; `make cluster` installs them")


@contextmanager
def alone() -> Iterator[None]:
    """One command at a time: all checkouts share the machine's cluster."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _begin() -> None:
    with step("making keys"):
        pki.make()
        for path, text in programs.files().items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(text)
            path.chmod(0o600)
    with step("starting the control plane"):
        box.make()
        _start("etcd", "containerd", "kube-apiserver")
        processes.wait("containerd", images.are_loaded, "containerd")
        processes.wait("the API server", _api_is_ready, "kube-apiserver")
    with step("starting the node"):
        _start("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns")
        kubectl.ask("apply", "--filename", str(programs.CONFIG / "dns.yaml"))
        processes.wait("the node", _node_is_ready, "kubelet")
        processes.wait("DNS", _dns_is_ready, "coredns")
        processes.wait("service accounts", _pods_have_an_account, "kube-controller-manager")


def restart_api_server() -> None:
    """Kill it, and start it anew."""
    number = processes.pid("kube-apiserver")
    if number is not None:
        os.killpg(number, signal.SIGKILL)  # it, and what entered the box for it
    while _api_listens():
        time.sleep(0.1)
    _start("kube-apiserver")
    processes.wait("the API server", _api_is_ready, "kube-apiserver")


def _start(*names: str) -> None:
    environ = {"PATH": f"{build.programs()}:{os.environ['PATH']}:/usr/sbin", "HOME": "/root"}
    for name in names:
        processes.start(name, box.within(*COMMANDS[name]()), environ)


def _show() -> None:
    (FRONT / "bin").mkdir(parents=True, exist_ok=True)
    config = FRONT / "kubeconfig"
    config.write_text(pki.kubeconfig("admin"))
    config.chmod(0o600)
    link = FRONT / "bin" / "kubectl"
    link.unlink(missing_ok=True)
    link.symlink_to(build.programs() / "kubectl")


def _api_listens() -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((NODE, API_PORT)) == 0


def _api_is_ready() -> bool:
    return kubectl.ask("get", "--raw", "/readyz") == "ok"


def _node_is_ready() -> bool:
    found = json.loads(kubectl.ask("get", "node", NODE_NAME, "--output", "json") or "{}")
    conditions: list[Mapping[str, str]] = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _dns_is_ready() -> bool:
    try:
        with urllib.request.urlopen(DNS_READY, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _pods_have_an_account() -> bool:
    return bool(kubectl.ask("get", "serviceaccount", "default"))
