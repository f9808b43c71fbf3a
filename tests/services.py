"""Install what the tests need beside Python packages: `python tests/services.py install [cluster]`.

Debian's database servers and a few programs, where root and apt are there; no service is started,
the tests start servers of their own. Elsewhere it changes nothing: the tests
say at their end what they could not run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

POSTGRES_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
BROWSERS = ("chromium-headless-shell", "chromium")
"""The first that is here is used: without what draws a window, a page opens sooner."""
PACKAGES = {
    BROWSERS[0]: BROWSERS[0],
    "initdb": "postgresql",
    "mariadbd": "mariadb-server",
    "openssl": "openssl",
    "tmux": "tmux",
}
CLUSTER_PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/bin/busybox": "busybox-static",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
"""What the test cluster's node needs, with Debian's package for each."""


def program(name: str) -> str | None:
    """Find a program on the PATH, or where Debian hides it; a path finds itself."""
    folders = [os.environ.get("PATH", ""), *map(str, POSTGRES_FOLDERS), "/usr/sbin"]
    return shutil.which(name, path=":".join(folders))


def browser() -> str | None:
    return next(filter(None, map(program, BROWSERS)), None)


def lacking(packages: Mapping[str, str]) -> list[str]:
    """Return the packages of those programs that are not here."""
    return sorted({package for name, package in packages.items() if program(name) is None})


def install(packages: Mapping[str, str]) -> None:
    missing = lacking(packages)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"not installed, for it needs root and apt: {', '.join(missing)}", file=sys.stderr)
        return
    print(f"installing {', '.join(missing)} from Debian's packages ...", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        # A policy that forbids starts: a package's service stays off.
        policy = Path("/usr/sbin/policy-rc.d")
        ours = not policy.exists()
        if ours:
            policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
            policy.chmod(0o755)
        try:
            _apt(["update"], folder)
            _apt(["install", "--yes", "--no-install-recommends", *missing], folder)
        finally:
            if ours:
                policy.unlink()


def _apt(arguments: list[str], folder: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "TMPDIR": folder}
    done = subprocess.run(
        ["apt-get", "--quiet", *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        print(f"apt-get {arguments[0]} failed:\n{done.stderr}", file=sys.stderr)


if __name__ == "__main__":
    wanted = {("install",): PACKAGES, ("install", "cluster"): CLUSTER_PACKAGES}
    if tuple(sys.argv[1:]) not in wanted:
        raise SystemExit(__doc__)
    install(wanted[tuple(sys.argv[1:])])
