"""A trial's own places in the file system.

A directory that two trials would share, and each volume, lies in the trial's
directory and is bound where the template wants it, in a mount namespace. The
host's files are not touched: where the wanted directory does not exist, its
nearest ancestor that does is what the trial gets for itself.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...api.errors import Unsupported
from .options import LocalOptions
from .pods import Container, Pod

FILES = "files"
_MODE = 0o644
_REMEDY = "use the image with --runtime docker"
_SYSTEM = frozenset(
    map(Path, ("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"))
)


def can_bind() -> bool:
    """Say whether this kernel lets a process bind directories in a mount namespace of its own."""
    import ctypes

    from .guard.kernel import enter_namespace

    pid = os.fork()
    if pid == 0:
        try:
            enter_namespace(ctypes.CDLL(None, use_errno=True), [(b"/tmp", b"/tmp")])
        except (OSError, AttributeError):
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def private_binds(directory: Path, wanted: Sequence[Path], cwd: Path) -> Iterator[tuple[str, str]]:
    """Yield what to bind so that each of the directories is the trial's own.

    Raises:
        Unsupported: that would hide a directory of the system, or one that the trial needs.
    """
    for place in wanted:
        target = _nearest(place)
        _keep_in_sight(target, place, (cwd, directory))
        own = directory / FILES / target.relative_to("/")
        (directory / FILES / place.relative_to("/")).mkdir(parents=True, exist_ok=True)
        yield str(own), str(target)


def mount_binds(
    directory: Path, mounts: Iterable[tuple[Path, Path]], cwd: Path
) -> Iterator[tuple[str, str]]:
    """Yield what to bind so that each directory or file of this machine is seen at its place.

    Raises:
        Unsupported: a place would hide a directory that the trial needs, or there is no file
            to bind a file over; the message says what to do.
    """
    for source, place in mounts:
        if source.is_file():
            _check_is_file(place)
        if source.is_file() or place.is_dir():
            yield str(source), str(place)
            continue
        target = _nearest(place)
        _keep_in_sight(target, place, (cwd, directory, source))
        own = directory / FILES / target.relative_to("/")
        (own / place.relative_to(target)).mkdir(parents=True, exist_ok=True)
        yield str(own), str(target)
        yield str(source), str(place)


def volume_sources(
    directory: Path, pod: Pod, container: Container, options: LocalOptions
) -> Iterator[tuple[Path, Path]]:
    """Yield the directory of this machine behind each volume mount, and where it is wanted.

    Raises:
        Unsupported: a volume is on a cluster only; the message says how to replace it.
    """
    volumes = {str(each.get("name")): each for each in pod.document.get("volumes") or ()}
    for mount in container.document.get("volumeMounts") or ():
        name, place = str(mount.get("name")), mount.get("mountPath")
        if not place:
            raise Unsupported(
                f"container {container.name}: the mount of volume {name} has no mountPath"
            )
        source = _source(directory, name, volumes.get(name) or {}, options)
        if mount.get("subPath"):
            source /= _inside(name, str(mount["subPath"]))
            if not source.exists():
                source.mkdir(parents=True)
        yield source, Path("/", str(place))


def _source(directory: Path, name: str, volume: Mapping[str, Any], options: LocalOptions) -> Path:
    if name in options.mounts:
        return options.mounts[name]
    own = directory / "volumes" / name
    if "emptyDir" in volume:
        own.mkdir(parents=True, exist_ok=True)
        return own
    for kind, key, documents in (
        ("configMap", "name", options.config_maps),
        ("secret", "secretName", options.secrets),
    ):
        if kind in volume:
            given = volume[kind] or {}
            wanted = str(given.get(key))
            if wanted not in documents and not given.get("optional"):
                raise Unsupported(
                    f"volume {name}: {kind} {wanted!r} is not known here; name the file that "
                    f"holds its document, or a directory with --mount {name}=DIR"
                )
            files = _files(name, kind, given, documents.get(wanted, {}))
            own.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file, (text, mode) in files.items():
                _write(own / file, text, mode)
            return own
    kind = next((each for each in volume if each != "name"), "no volume of that name")
    raise Unsupported(
        f"volume {name} ({kind}) lives on a cluster; name a directory with --mount {name}=DIR"
    )


def _files(
    volume: str, kind: str, given: Mapping[str, Any], known: Mapping[str, str]
) -> Mapping[str, tuple[str, int]]:
    """Return what lies in a volume of a ConfigMap or a Secret: text and mode, by the path there."""
    usual = given.get("defaultMode")
    items = given.get("items")
    if items is None:
        items = [{"key": key, "path": key} for key in known]
    files = {}
    for each in items:
        key, path = str(each.get("key")), _inside(volume, str(each.get("path") or ""))
        if not Path(path).parts:
            raise Unsupported(f"volume {volume}: key {key!r} has no path")
        if key in known:
            files[path] = known[key], _mode(volume, each.get("mode", usual))
        elif not given.get("optional"):
            raise Unsupported(f"volume {volume}: its {kind} has no key {key!r}")
    return files


def _mode(volume: str, given: object) -> int:
    """Return a file's mode. Its owner, who runs the trial here, may always read it.

    Raises:
        Unsupported: it is none.
    """
    if given is None:
        return _MODE
    if not isinstance(given, int) or not 0 <= given <= 0o777:
        raise Unsupported(f"volume {volume}: {given!r} is not a mode: write one up to 0777")
    return given | 0o400


def _write(file: Path, text: str, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # it may be one of an attempt before, and not be writable
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)


def _inside(volume: str, path: str) -> str:
    """Return a path below a volume; as a cluster does, refuse one that leads out of it."""
    if path.startswith("/") or ".." in Path(path).parts:
        raise Unsupported(f"volume {volume}: {path!r} leads out of it: write a path below it")
    return path


def _check_is_file(place: Path) -> None:
    """Refuse to bind a file where there is none: all else in its folder would have to be hidden."""
    if not place.is_file():
        remedy = f"create one first (mkdir -p {place.parent} && touch {place})"
        raise Unsupported(f"a file is to be seen at {place}, where this machine has none: {remedy}")


def _keep_in_sight(target: Path, place: Path, needed: Sequence[Path]) -> None:
    """Refuse to bind over a directory that holds what the trial needs."""
    for each in needed:
        if each.is_relative_to(target):
            raise Unsupported(
                f"{place} is to be each trial's own, but would hide {each}: name another directory"
                if target == place
                else f"{place} does not exist here, and a trial's own {target} would hide {each}:"
                f" make the directory first (mkdir -p {place})"
            )


def _nearest(place: Path) -> Path:
    """Return the directory to bind over: the place itself, or its nearest ancestor there is."""
    target = place
    while not target.is_dir():
        target = target.parent
    if target in _SYSTEM:
        raise Unsupported(
            f"{place} does not exist here, and {target} cannot be a trial's own; {_REMEDY}"
        )
    return target
