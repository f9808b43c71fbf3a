"""Images without a registry: written as archives, and given to containerd."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .layout import BUSYBOX, CONTAINERD, PAUSE, STATE
from .say import ClusterError

SHELL = Path("/bin/busybox")
"""Debian's static busybox."""

APPLETS = (
    *("sh", "sleep", "cat", "echo", "ls", "nslookup", "wget", "nc", "true", "false", "yes"),
    *("head", "seq", "env", "id", "date", "kill", "touch", "printf", "ps", "test", "tail"),
)


def load_small_images() -> None:
    """Make the images of a pause and of a shell, and load them."""
    if not SHELL.exists():
        raise ClusterError(f"there is no {SHELL}: install busybox-static")
    program = {"bin/busybox": SHELL.read_bytes()}
    links = {f"bin/{name}": "busybox" for name in APPLETS}
    folder = STATE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in ((PAUSE, ["/bin/busybox", "sleep", "2147483647"]), (BUSYBOX, ["/bin/sh"])):
        archive = folder / f"{name.replace('/', '_').replace(':', '_')}.tar"
        write_archive(archive, name, program, links, command)
        load(archive)


def load(archive: Path) -> None:
    """Give a docker archive to containerd, for pods to use."""
    subprocess.run(
        [*ctr(), "images", "import", str(archive)], check=True, capture_output=True, text=True
    )


def ctr() -> Sequence[str]:
    """Return the start of a command line for containerd's own client."""
    return (str(shutil.which("ctr")), "--address", str(CONTAINERD), "--namespace", "k8s.io")


def write_archive(
    path: Path,
    name: str,
    files: Mapping[str, bytes],
    links: Mapping[str, str],
    command: Sequence[str],
) -> None:
    """Write an image of one layer as a docker archive: programs, links to them, a command."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in sorted({str(Path(place).parent) for place in (*files, *links)} | {"tmp"}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for place, content in files.items():
            entry = tarfile.TarInfo(place)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for place, target in links.items():
            entry = tarfile.TarInfo(place)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"],
        },
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for place, content in (
            ("layer.tar", layer.getvalue()),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(place)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
