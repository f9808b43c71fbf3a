"""What a container's process sees: its variables, its arguments, its program.

Variables come in this order, the later winning: the caller's, `--env-file`,
Tunewright's, the template's `envFrom` and `env`, the operator's. `$(NAME)` in
`env`, `command` and `args` is replaced as Kubernetes does: only declared
variables count, `$$` stands for `$`, an unknown name stays as it is.
"""

import difflib
import itertools
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...api.errors import Unsupported
from .options import LocalOptions
from .pods import Container, Pod
from .quantities import quantity
from .sharing import METRICS_PORT

IMAGE_REMEDY = "use the image with --runtime docker, or name a program of this machine"
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
"""Given where the caller says nothing of it: held back until the end, live metrics look dead."""
_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['?([^']+?)'?\]")
_FIRST_LINE = 256
"""How much of a script the kernel reads to find its interpreter."""
_INTERPRETER = re.compile(r"(python[\d.]*|bash|sh|Rscript|perl|ruby|node|julia)$")
_RUNS_NO_SCRIPT = re.compile(r"-\w*[cme]")
"""An option, alone or with others (`-lc`), behind which stands code or a module."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable, as Kubernetes does."""
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Whom and where a container belongs to: what `valueFrom` may ask for."""

    pod: Pod
    namespace: str
    uid: str
    options: LocalOptions


def _field(where: Surroundings, container: Container, path: str) -> str:
    metadata = where.pod.metadata
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    known = {
        "metadata.name": where.pod.name,
        "metadata.namespace": where.namespace,
        "metadata.uid": where.uid,
        "spec.nodeName": os.uname().nodename,
        "spec.serviceAccountName": str(where.pod.document.get("serviceAccountName") or "default"),
        "status.hostIP": "127.0.0.1",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }
    if path not in known:
        raise Unsupported(
            f"container {container.name}: fieldRef {path!r} has no meaning on this machine;"
            f" known are {', '.join(known)}, metadata.labels['…'] and metadata.annotations['…']"
        )
    return known[path]


def _resource(where: Surroundings, container: Container, reference: Mapping[str, Any]) -> str:
    wanted = str(reference.get("resource") or "")
    name = reference.get("containerName")
    asked = next((each for each in where.pod.containers if each.name == name), container)
    group, _, resource = wanted.partition(".")
    given = asked.document.get("resources") or {}
    found = (given.get(group) or {}).get(resource)
    if found is None and group == "requests":
        found = (given.get("limits") or {}).get(resource)
    if found is None or (group == "limits" and not quantity(found)):
        if resource == "cpu":
            found = os.cpu_count() or 1
        elif resource == "memory":
            found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        else:
            raise Unsupported(
                f"container {container.name}: resourceFieldRef {wanted!r}: the container sets no"
                " such resource; add it under resources, or write the value"
            )
    # A divisor of 0 is none: the API server writes it where a file has none.
    parts = quantity(found) / (quantity(reference.get("divisor") or 0) or 1)
    return str(int(parts.to_integral_value(ROUND_CEILING)))


def _keyed(
    where: Surroundings, variable: str, source: str, reference: Mapping[str, Any]
) -> str | None:
    options = where.options
    documents = options.secrets if source == "secretKeyRef" else options.config_maps
    name, key = str(reference.get("name") or ""), str(reference.get("key") or "")
    found = documents.get(name, {}).get(key)
    if found is None:
        found = options.env_file.get(variable)
    if found is None and not reference.get("optional"):
        what = "Secret" if source == "secretKeyRef" else "ConfigMap"
        raise Unsupported(
            f"env {variable}: key {key!r} of {what} {name!r} is not known here; give its document"
            f" on the command line, or {variable}=… in a file with --env-file"
        )
    return found


def _from_source(
    where: Surroundings, container: Container, variable: str, source: Mapping[str, Any]
) -> str | None:
    for kind, given in source.items():
        reference = given or {}
        if kind == "fieldRef":
            return _field(where, container, str(reference.get("fieldPath") or ""))
        if kind == "resourceFieldRef":
            return _resource(where, container, reference)
        if kind in {"secretKeyRef", "configMapKeyRef"}:
            return _keyed(where, variable, kind, reference)
        raise Unsupported(
            f"env {variable}: valueFrom.{kind} cannot be known on this machine; write a value"
        )
    return None


def _bulk(where: Surroundings, entry: Mapping[str, Any]) -> Mapping[str, str]:
    options = where.options
    prefix = str(entry.get("prefix") or "")
    for source, documents, what in (
        ("secretRef", options.secrets, "Secret"),
        ("configMapRef", options.config_maps, "ConfigMap"),
    ):
        reference = entry.get(source)
        if not reference:
            continue
        name = str(reference.get("name") or "")
        if name in documents:
            return {prefix + key: value for key, value in documents[name].items()}
        if not reference.get("optional") and not options.env_file:
            raise Unsupported(
                f"envFrom: {what} {name!r} is not known here; give its document on the command"
                " line, or its variables in a file with --env-file"
            )
    return {}


def declared(where: Surroundings, container: Container, own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `$(NAME)` may name: ours, the template's, the operator's.

    Raises:
        Unsupported: a value cannot be known here, or a name is none; the message says how it can.
    """
    variables = {**where.options.env_file, **own}
    for entry in container.document.get("envFrom") or ():
        variables.update(_bulk(where, entry))
    for entry in container.document.get("env") or ():
        name = str(entry.get("name") or "")
        if name == METRICS_PORT and name in own:
            continue  # what the template says is for a cluster
        if entry.get("valueFrom"):
            value = _from_source(where, container, name, entry["valueFrom"])
            if value is not None:
                variables[name] = value
        else:
            given = entry.get("value")
            variables[name] = expand("" if given is None else str(given), variables)
    variables.update(where.pod.variables)
    wrong = next((name for name in variables if not name or "=" in name), None)
    if wrong is not None:
        raise Unsupported(
            f"container {container.name}: env {wrong!r} cannot be the name of a variable: write one"
            " without '='"
        )
    return variables


def argv_of(container: Container, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return command and args, exactly as a container would get them.

    Raises:
        Unsupported: there is no command, so that the image's entry point would run.
    """
    if not container.command:
        raise Unsupported(
            f"container {container.name}: without `command` the image's entry point would run;"
            " write the command, or use the image with --runtime docker"
        )
    return tuple(expand(each, variables) for each in (*container.command, *container.args))


def workdir_of(container: Container, workdir: Path) -> Path:
    """Return where the process starts: the template's workingDir, or where `run` was typed."""
    given = container.document.get("workingDir")
    if not given:
        return workdir
    path = workdir / str(given)
    if not path.is_dir():
        raise Unsupported(
            f"container {container.name}: workingDir {given} does not exist on this machine;"
            f" leave it out (trials start where `run` was typed), or use --runtime docker"
        )
    return path


def executable_of(argv: tuple[str, ...], search: str, cwd: Path) -> str:
    """Find the program that `argv[0]` means; `search` is the PATH of the process.

    Raises:
        Unsupported: this machine has none of that name, or not the script that it should run.
    """
    name = argv[0]
    found = _program(name, search, cwd)
    if found is None or not os.access(found, os.X_OK):  # installed or removed since
        _program.cache_clear()
        found = _program(name, search, cwd)
    if found is None:
        raise _no_program(name, search, cwd)
    _check_first_line(name, found)
    script = _script_of(argv)
    if script and not (cwd / script).exists():
        raise _no_script(script, cwd)
    return found


def _script_of(argv: tuple[str, ...]) -> str:
    """Return the script that an interpreter is to run; nothing where it is none for sure."""
    if not _INTERPRETER.match(argv[0].rpartition("/")[2]):
        return ""
    options = [*itertools.takewhile(lambda word: word.startswith("-"), argv[1:])]
    script = next(iter(argv[1 + len(options) :]), "")
    is_script = script.startswith("/") or script.endswith((".py", ".sh"))
    return script if is_script and not any(map(_RUNS_NO_SCRIPT.fullmatch, options)) else ""


def _no_program(name: str, search: str, cwd: Path) -> Unsupported:
    """Say what may have been meant by a program that is not here."""
    lacking = f"there is no program {name!r} on this machine"
    if "/" in name and (cwd / name).is_dir():
        return Unsupported(f"{name} is a directory: name a program in it")
    if "/" in name and (cwd / name).is_file():
        remedy = f"make it executable: chmod +x {name}, or put its interpreter before it"
        return Unsupported(f"{name} cannot be run, it is not executable: {remedy}")
    first, blank, _ = name.partition(" ")
    if blank and _program(first, search, cwd):
        return Unsupported(f"{lacking}: write its words one by one, without quotes around them")
    if name == "python" and shutil.which("python3", path=search):
        hint = "this machine has `python3`; activate a virtual environment, write python3, or "
    else:
        near = difflib.get_close_matches(name, _programs(search), n=1, cutoff=0.8)
        hint = f"did you mean {near[0]}? Else " if near else ""
    return Unsupported(f"{lacking}: {hint}{IMAGE_REMEDY}")


@lru_cache
def _check_first_line(name: str, found: str) -> None:
    """Refuse a script whose first line names an interpreter that is not here.

    The kernel would say that the script does not exist.

    Raises:
        Unsupported: it cannot be started so.
    """
    try:
        with Path(found).open("rb") as file:
            line = file.read(_FIRST_LINE).partition(b"\n")[0]
    except OSError:  # what nobody may read can be run all the same
        return
    if not line.startswith(b"#!/"):
        return
    if line.endswith(b"\r"):
        remedy = f"save it with Unix line ends (sed -i 's/\\r$//' {name})"
        raise Unsupported(f"the first line of {name} has a Windows line end: {remedy}")
    interpreter = os.fsdecode(line[2:].split()[0])
    if not Path(interpreter).is_file():
        raise Unsupported(
            f"the first line of {name} names the interpreter {interpreter!r}, which is not on this"
            " machine: fix the line, or put an interpreter before the script"
        )


def _no_script(script: str, cwd: Path) -> Unsupported:
    folder = (cwd / script).parent
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    near = difflib.get_close_matches(Path(script).name, there, n=1)
    remedy = f"did you mean {Path(script).with_name(near[0])}?" if near else IMAGE_REMEDY
    where = "on this machine" if script.startswith("/") else f"in {cwd}"
    return Unsupported(f"the script {script} does not exist {where}: {remedy}")


def _programs(search: str) -> list[str]:
    folders = [Path(folder) for folder in search.split(os.pathsep)]
    return sorted({path.name for each in folders if each.is_dir() for path in each.iterdir()})


@lru_cache
def _program(name: str, search: str, cwd: Path) -> str | None:
    """Look for a program as a shell does; trial after trial means the same one."""
    if "/" in name:
        path = cwd / name
        return str(path) if path.is_file() and os.access(path, os.X_OK) else None
    found = shutil.which(name, path=search)
    return None if found is None else str(cwd / found)
