"""What the node's programs leave on the machine beside our folders, and how it is put back."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .layout import CONTAINERD, RUN, STATE

FIXED = (Path("/var/lib/kubelet"), Path("/var/lib/cni"))
"""Folders whose places the programs do not let us choose."""

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_NOTE = RUN / "before.json"


def remember() -> None:
    """Note how the machine was, and let packets pass between pods and Services."""
    RUN.mkdir(parents=True, exist_ok=True)
    absent = [str(path) for path in FIXED if not path.exists()]
    _NOTE.write_text(json.dumps({"absent": absent, "forwarding": FORWARDING.read_text()}))
    FORWARDING.write_text("1\n")


def clean() -> None:
    """End the shims, and remove mounts, control groups and folders; whatever is there of them."""
    for pid in _shims():
        os.kill(pid, signal.SIGKILL)
    for place in sorted(_mounts(), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    _remove_groups()
    if _NOTE.exists():
        before = json.loads(_NOTE.read_text())
        FORWARDING.write_text(before["forwarding"])
        for path in before["absent"]:
            shutil.rmtree(path, ignore_errors=True)


def _shims() -> Iterator[int]:
    """Find the processes that stand between our containerd and its containers."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"shim" in words[0] and os.fsencode(CONTAINERD) in words:
            yield int(process.name)


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        place = Path(line.split()[4])
        if any(place.is_relative_to(ours) for ours in (STATE, RUN, *FIXED)):
            yield str(place)


def _remove_groups() -> None:
    """Remove the control groups of pods, the innermost first."""
    for top in Path("/sys/fs/cgroup").glob("**/kubepods"):
        groups = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for group in (*groups, top):
            try:
                group.rmdir()
            except OSError:
                continue
