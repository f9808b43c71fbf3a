"""The bridge that node and pods share, and what is left of it at the end."""

import subprocess

from .layout import BRIDGE, NODE, PODS
from .say import ClusterError

_CHAINS = ("KUBE-", "CNI-")


def make_bridge() -> None:
    """Make the bridge with the node's address.

    Raises:
        ClusterError: the address is another's already.
    """
    taken = _ip("-brief", "address", "show", "to", PODS)
    if taken:
        raise ClusterError(f"the addresses {PODS} are in use on this machine:\n{taken}")
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{NODE}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


def remove() -> None:
    """Remove the bridge, the ends of pods that are left on it, and every rule of ours."""
    for line in _ip("-brief", "link", "show", "master", BRIDGE, check=False).splitlines():
        _ip("link", "delete", line.split()[0].partition("@")[0], check=False)
    _ip("link", "delete", BRIDGE, check=False)
    for program in ("iptables", "ip6tables"):
        saved = subprocess.run([f"{program}-save"], check=False, capture_output=True, text=True)
        if not any(chain in saved.stdout for chain in _CHAINS):
            continue
        kept = [
            line
            for line in saved.stdout.splitlines()
            if not any(chain in line for chain in _CHAINS)
        ]
        subprocess.run([f"{program}-restore"], input="\n".join(kept) + "\n", text=True, check=True)


def _ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise ClusterError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout if done.returncode == 0 else ""
