"""The bridge that node, pods and this machine share."""

import subprocess
from pathlib import Path

from .layout import BRIDGE, HARDWARE, HOST, LINK, NETWORK, NODE, PODS, SERVICES
from .say import ClusterError

_WIDTH = PODS.partition("/")[2]
_BRIDGED_PACKETS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def check() -> None:
    """Check that this machine can carry the network.

    Raises:
        ClusterError: the addresses are another's, or the kernel lacks a module.
    """
    if taken := _ip("route", "show", "root", NETWORK):
        raise ClusterError(f"the addresses {NETWORK} are in use on this machine:\n{taken}")
    if not _BRIDGED_PACKETS.exists():
        raise ClusterError("Services need a module of the kernel: run `modprobe br_netfilter`")


def make_bridge() -> None:
    """Make the bridge with the node's address; called in the box.

    Its hardware address is fixed: it would change as pods come and go, and be found no more.
    """
    _ip("link", "set", "lo", "up")
    _ip("link", "add", BRIDGE, "address", HARDWARE, "type", "bridge")
    _ip("address", "add", f"{NODE}/{_WIDTH}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    _ip("route", "add", SERVICES, "dev", BRIDGE)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def link(first: int) -> None:
    """Lay a cable from this machine to the bridge in the box with that first process.

    This machine then has an address among the pods': each reaches the other as it is.
    """
    space = str(first)
    _ip("link", "add", LINK, "type", "veth", "peer", "name", "host", "netns", space)
    inside = ("nsenter", "--target", space, "--net", "ip", "link", "set", "host")
    subprocess.run([*inside, "up", "master", BRIDGE], check=True)
    _ip("address", "add", f"{HOST}/{_WIDTH}", "dev", LINK)
    _ip("link", "set", LINK, "up")
    _ip("route", "add", SERVICES, "via", NODE)


def unlink() -> None:
    """Take the cable away, if it is there."""
    subprocess.run(["ip", "link", "delete", LINK], check=False, capture_output=True)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
