"""The first process of the box: furnishes it, then reaps those whose parents have gone."""

import os
import signal
import subprocess
from pathlib import Path

from . import network, processes
from .layout import BOX, STATE

OWN = ("/var/lib", "/var/log")
"""Where programs write at places of their own choice: folders of ours lie over them."""

SETTINGS = (
    *("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom"),
    *("kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys"),
)
"""What the kubelet sets for the whole machine: it sets copies."""


def main() -> None:
    """Begin: a child of a process with a new process namespace is the first in it."""
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        # Its number as this machine counts, whose /proc is still here.
        processes.note(BOX, int(Path("/proc/self").readlink().name))
        furnish()
        os.write(tell, b"!")
        _reap()
    os.close(tell)
    if not os.read(ready, 1):
        raise SystemExit(1)


def furnish() -> None:
    """Mount what is the box's own, and make its network."""
    _mount("--make-rshared", "/")
    _mount("--types", "proc", "proc", "/proc")
    _mount("--types", "tmpfs", "tmpfs", "/run")
    for place in OWN:
        _cover(Path(place), STATE / place.strip("/"))
    for name in SETTINGS:
        setting = Path("/proc/sys", name)
        copy = Path("/run", name.replace("/", "."))
        copy.write_text(setting.read_text())
        _mount("--bind", str(copy), str(setting))
    network.make_bridge()


def _reap() -> None:
    """Let go of whoever started us, and let the kernel bury every orphan."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        signal.pause()


def _cover(place: Path, own: Path) -> None:
    own.mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(own), str(place))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main()
