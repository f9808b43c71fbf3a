"""The command in a process that is forked off one which has imported it.

Most of a start is importing. What a process has of its surroundings, its arguments,
directory, environment and streams, it is given anew, and nothing of the command has
run in it before. How long a real start takes, and what it imports, is
not to be seen here.
"""

import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

IMPORTED = (
    *("alembic.runtime.migration", "sqlalchemy.dialects.sqlite", "yaml", "rich.live"),
    *(f"tunewright.{name}" for name in ("cli.compose", "controller.engine", "controller.local")),
    *("tunewright.db.sql", "tunewright.sdk.submit"),
)
"""What most commands use beside their own modules; nothing that starts a thread."""


class Herd:
    """The process that has imported all, and the commands that are forked off it."""

    def __init__(self, path: str) -> None:
        """Take `path` as the PYTHONPATH of all."""
        self._control, its = socket.socketpair()
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(its.fileno())],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
        its.close()

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: str,
        timeout: float,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, as `subprocess.run` does."""
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
        with (
            tempfile.TemporaryFile("w+") as given,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
        ):
            given.write(stdin)
            given.seek(0)
            code = self._code(request, [given, out, err], timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(request["words"], code, out.read(), err.read())

    def _code(self, request: object, streams: Sequence[IO[str]], timeout: float) -> int:
        call, its = socket.socketpair()
        with call, its, call.makefile("r") as said:
            with self._asking:
                descriptors = [its.fileno(), *(stream.fileno() for stream in streams)]
                socket.send_fds(self._control, [b"."], descriptors)
            its.close()
            call.sendall(json.dumps(request).encode())
            call.shutdown(socket.SHUT_WR)
            pid = int(said.readline())
            call.settimeout(timeout)
            try:
                return int(said.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(str(request), timeout) from None


@functools.cache
def herd(path: str) -> Herd:
    """Return the herd of a PYTHONPATH; it ends with the process that called."""
    return Herd(path)


def lead(control: socket.socket) -> None:
    """Import, then fork one process for each call, until the other end is closed."""
    from tunewright.cli.main import COMMANDS

    heavy = {"operator", "serve", "ui", "collector"}
    for place, _ in (entry for name, entry in COMMANDS.items() if name not in heavy):
        importlib.import_module(f"tunewright.cli.{place.partition(':')[0]}")
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not descriptors:
            return
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            tend(*descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def tend(number: int, *streams: int) -> None:
    """Fork the command, and tell its number and its end; return in the command's own process."""
    with socket.socket(fileno=number) as call:
        with call.makefile("r") as said:
            request = json.loads(said.read())
        child = os.fork()
        if child:
            call.sendall(b"%d\n" % child)
            _, status = os.waitpid(child, 0)
            call.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["words"]

    from tunewright.cli.main import main

    main()


if __name__ == "__main__":
    lead(socket.socket(fileno=int(sys.argv[1])))
