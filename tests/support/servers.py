"""Real database servers for the tests: each in a temporary folder, on a socket of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from services import program
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

START_SECONDS = 60


def _as_user(user: str, command: list[str]) -> list[str]:
    """Both servers refuse to run as root."""
    if os.geteuid() != 0:
        return command
    found = pwd.getpwnam(user)
    return [
        "setpriv",
        f"--reuid={found.pw_uid}",
        f"--regid={found.pw_gid}",
        "--clear-groups",
        *command,
    ]


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    # Short, for a socket's path ends at 107 characters.
    usual = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="tw-", dir=usual if len(usual) < 30 else "/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL, and yield its URL; the database in it is `postgres`."""
    if given := os.environ.get("TUNEWRIGHT_TEST_POSTGRES_URL"):
        yield given
        return
    initdb, server = program("initdb"), program("postgres")
    assert initdb, "PostgreSQL is not installed"
    assert server, "PostgreSQL is not installed"
    with _folder("postgres") as folder:
        data = folder / "data"
        subprocess.run(
            _as_user(
                "postgres",
                [initdb, "-D", str(data), "-U", "test", "-A", "trust", "-N", "-E", "UTF8"],
            ),
            check=True,
            capture_output=True,
            cwd=folder,
        )
        settings = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=60",
        ]
        command = [server, "-D", str(data), "-k", str(folder), "-h", ""]
        for setting in settings:
            command += ["-c", setting]
        url = f"postgresql+psycopg://test@/postgres?host={quote(str(folder))}"
        with _running(_as_user("postgres", command), url, folder / ".s.PGSQL.5432"):
            yield url


@contextmanager
def mysql() -> Iterator[str]:
    """Run a MariaDB, and yield its URL; the database in it is `test`."""
    if given := os.environ.get("TUNEWRIGHT_TEST_MYSQL_URL"):
        yield given
        return
    server, install = program("mariadbd"), program("mariadb-install-db")
    assert server, "MariaDB is not installed"
    assert install, "MariaDB is not installed"
    with _folder("mysql") as folder:
        data, path = folder / "data", folder / "s"
        common = [f"--datadir={data}", "--no-defaults"]
        making = [
            *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--skip-innodb-use-native-aio"),
        ]
        made = subprocess.run(
            _as_user("mysql", making),
            check=False,
            capture_output=True,
            cwd=folder,
            env=_environ(folder),
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        command = [
            *(server, "--no-defaults", common[0], f"--socket={path}", "--skip-networking"),
            *(f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0"),
            *(
                "--skip-innodb-doublewrite",
                "--skip-innodb-use-native-aio",
                "--innodb-buffer-pool-size=64M",
                "--max-allowed-packet=64M",
            ),
        ]
        url = f"mysql+pymysql://root@localhost/mysql?unix_socket={quote(str(path))}"
        with _running(_as_user("mysql", command), url, path):
            yield url


def _environ(folder: Path) -> dict[str, str]:
    """Have temporary files in a folder: a MariaDB that starts removes those of others."""
    return {**os.environ, "TMPDIR": str(folder)}


@contextmanager
def _running(command: list[str], url: str, path: Path) -> Iterator[None]:
    """Run a server that listens on the socket `path`."""
    said = path.parent / "log"
    with said.open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=path.parent, env=_environ(path.parent)
        )
    try:
        _wait(server, url, path, said)
        yield
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], url: str, path: Path, said: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if _listens(path):
                with engine.connect():
                    return
        except OperationalError:  # it listens, and is still starting up
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(said.read_text(errors="replace"))
        time.sleep(0.05)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path)) == 0


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Make a database of its own on a running server, and yield its URL."""
    name = f"t{uuid.uuid4().hex[:12]}"
    administrator = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield administrator.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with administrator.connect() as connection:
            force = " WITH (FORCE)" if administrator.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {name}{force}"))
