"""Typical mistakes, typed as people type them: the message, the exit code, and no traceback."""

import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from support import mistakes, servers
from support.mistakes import SECTIONS, Mistake
from tunewright.cli.exits import guarded
from tunewright.cli.main import cli

NEEDS = {
    "a database with a password": "mysql",
    "a database of others": "mysql",
    "a small disk": "mount-namespaces",
    "an unreadable file": "linux",
    "a closed folder": "linux",
}
"""What scenes need of the machine."""


def unprivileged(command: str) -> str:
    """Let root be refused where others are."""
    if os.geteuid() != 0:
        return command
    return f"setpriv --bounding-set=-dac_override,-dac_read_search sh -c {shlex.quote(command)}"


def on_small_disk(command: str) -> str:
    mounted = f"mount -t tmpfs -o size=300k tmpfs small && {command}"
    return f"unshare --user --map-root-user --mount sh -c {shlex.quote(mounted)}"


WRAPS = {
    "an unreadable file": unprivileged,
    "a closed folder": unprivileged,
    "a small disk": on_small_disk,
}

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: there
contexts: [{{name: there, context: {{cluster: there, user: me}}}}]
clusters: [{{name: there, cluster: {{server: "https://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: secret}}}}]
"""


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@contextmanager
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@contextmanager
def guarded_database(password: str) -> Iterator[str]:
    """Yield the URL of a database that its user, whose password is `right`, may not use."""
    with servers.mysql() as server, servers.fresh_database(server) as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text("CREATE OR REPLACE USER tune@localhost IDENTIFIED BY 'right'"))
        given = make_url(url).set(username="tune", password=password)
        yield given.render_as_string(hide_password=False)


@contextmanager
def scene(name: str, folder: Path) -> Iterator[Mapping[str, object]]:
    """Make the machine as a mistake finds it; yield what stands for `{…}`."""
    match name:
        case "a taken port":
            with taken_port() as port:
                yield {"taken": port}
        case "a closed port":
            yield {"closed": closed_port()}
        case "a cluster that is away":
            port = closed_port()
            (folder / "there.yaml").write_text(KUBECONFIG.format(port=port))
            yield {"closed": port}
        case "a database with a password":
            with guarded_database("wrong") as url:
                yield {"store": url}
        case "a database of others":
            with guarded_database("right") as url:
                yield {"store": url}
        case "an unreadable file":
            (folder / "experiment.yaml").chmod(0)
            yield {}
        case "an executable script":
            (folder / "train.py").chmod(0o755)
            yield {}
        case "a closed folder":
            (folder / "closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
            yield {}
        case "a small disk":
            (folder / "small").mkdir()
            yield {}
        case _:
            yield {}


@pytest.fixture
def desk(tmp_path):
    """A folder with the experiment, its program, and `tunewright` on the PATH."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "tunewright"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tunewright "$@"\n')
    program.chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to(shutil.which("python3"))
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def write_files(desk: Path, mistake: Mistake) -> None:
    assert mistake.right in mistakes.EXPERIMENT, "the mistake is not in the file"
    written = mistakes.EXPERIMENT.replace(mistake.right, mistake.wrote, 1)
    files = {"experiment.yaml": written, "train.py": mistakes.PROGRAM, **mistake.files}
    for name, content in files.items():
        (desk / name).write_text(content)


def environment(desk: Path) -> dict[str, str]:
    package = str(Path(__file__).parents[2] / ".types")
    return {
        **os.environ,
        "PATH": f"{desk.parent / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]),
        "HOME": str(desk.parent),
        "KUBECONFIG": str(desk / "none"),
        "CUDA_VISIBLE_DEVICES": "",
        "COLUMNS": "200",
    }


def typed_in_a_shell(desk: Path, command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=desk,
        env=environment(desk),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


def matches(expected: str, values: Mapping[str, object], output: str) -> bool:
    """Say whether the lines stand in the output, `…` for anything within one."""
    for key, value in values.items():
        expected = expected.replace(f"{{{key}}}", str(value))
    pattern = "[^\n]*".join(re.escape(part) for part in expected.split("…"))
    return re.search(rf"^{pattern}$", output, re.MULTILINE) is not None


CASES = [
    pytest.param(
        mistake,
        id=mistake.what,
        marks=[pytest.mark.needs(NEEDS[mistake.scene])] if mistake.scene in NEEDS else [],
    )
    for section in SECTIONS.values()
    for mistake in section
]


@pytest.mark.parametrize("mistake", CASES)
def test_a_mistake_gets_its_message_and_no_traceback_of_ours(mistake, desk, monkeypatch, capfd):
    write_files(desk, mistake)
    for command in mistake.first:
        code, output = typed_in_a_shell(desk, command)
        assert code == 0, output

    with scene(mistake.scene, desk) as made:
        values = {"folder": desk, **made}
        command = mistake.typed
        for key, value in made.items():
            command = command.replace(f"{{{key}}}", str(value))
        if mistake.quick:
            for key, value in environment(desk).items():
                monkeypatch.setenv(key, value)
            monkeypatch.chdir(desk)
            monkeypatch.setattr(sys, "argv", shlex.split(command))
            capfd.readouterr()
            code = guarded(cli)
            shown = capfd.readouterr()
            output = shown.out + shown.err
        else:
            command = WRAPS.get(mistake.scene, str)(command)
            code, output = typed_in_a_shell(desk, command)

    assert matches(mistake.says, values, output), output
    assert code == mistake.code
    assert "this is a bug" not in output
    assert "tunewright/cli" not in output


def test_there_are_fifty_of_them_and_each_is_another():
    names = [mistake.what for section in SECTIONS.values() for mistake in section]

    assert len(names) >= 50
    assert len(set(names)) == len(names)
