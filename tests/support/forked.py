"""The command in a process that is forked off one which has imported it.

Most of a start is importing. What a process has of its surroundings, its arguments,
directory, environment and streams, it is given anew, and nothing of the command has
run in it before. How long a real start takes, what it imports, and how the interpreter ends, is
not to be seen here.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Self, TypeAlias

Stream: TypeAlias = IO[str] | Literal[-1] | None
"""A file, `subprocess.PIPE`, which we read, or None for our own."""

IMPORTED = (
    *("alembic.runtime.migration", "sqlalchemy.dialects.sqlite", "yaml", "rich.live"),
    *(f"tunewright.cli.{name}" for name in ("compose", "display", "summary")),
    *(f"tunewright.controller.{name}" for name in ("engine", "local.runner", "provenance")),
    *(f"tunewright.sdk.{name}" for name in ("machine", "rendered", "sources.there", "submit")),
    *(f"tunewright.suggestion.{name}" for name in ("check", "suggester", "algorithms.random")),
    *("tunewright.db.sql", "tunewright.suggestion.early_stopping.registry"),
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

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: IO[str] | None = None,
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
    ) -> "Forked":
        """Start a command."""
        with contextlib.ExitStack() as given:
            ends = [_ends(each, n, given) for n, each in enumerate((stdin, stdout, stderr))]
            call, its = socket.socketpair()
            with self._asking, its:
                descriptors = [its.fileno(), *(theirs for theirs, _ in ends)]
                socket.send_fds(self._control, [b"."], descriptors)
        request = {"words": list(words), "cwd": str(cwd), "env": dict(env)}
        call.sendall(json.dumps(request).encode())
        call.shutdown(socket.SHUT_WR)
        return Forked(words, call, *(ours for _, ours in ends[1:]))

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
        with (
            tempfile.TemporaryFile("w+") as given,
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
        ):
            given.write(stdin)
            given.seek(0)
            with self.start(
                words, cwd=cwd, env=env, stdin=given, stdout=out, stderr=err
            ) as command:
                try:
                    code = command.wait(timeout)
                except subprocess.TimeoutExpired:
                    command.kill()
                    raise
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())


def _ends(stream: Stream, number: int, given: contextlib.ExitStack) -> tuple[int, IO[str] | None]:
    """Return what becomes the command's stream, and our end of it if it is a pipe."""
    if stream is None:
        return number, None
    if isinstance(stream, int):
        ours, theirs = os.pipe()
        given.callback(os.close, theirs)
        return theirs, os.fdopen(ours)
    return stream.fileno(), None


class Forked:
    """A command that runs, with what the tests use of `subprocess.Popen`."""

    def __init__(
        self,
        words: Sequence[str],
        call: socket.socket,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._words = words
        self._call = call
        self._said = call.makefile("r")
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._call], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._words, timeout or 0)
            self.returncode = int(self._said.readline())
            self._said.close()
            self._call.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        said: dict[IO[str] | None, str] = {}

        def read(pipe: IO[str]) -> None:
            said[pipe] = pipe.read()

        pipes = [pipe for pipe in (self.stdout, self.stderr) if pipe and not pipe.closed]
        readers = [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe in pipes]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader, pipe in zip(readers, pipes, strict=True):
            reader.join()
            pipe.close()
        return said.get(self.stdout, ""), said.get(self.stderr, "")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


@functools.cache
def herd(path: str) -> Herd:
    """Return the herd of a PYTHONPATH; it ends with the process that called."""
    return Herd(path)


def lead(control: socket.socket) -> None:
    """Import, then fork one process for each call, until the other end is closed."""
    from tunewright.api.errors import MissingExtra
    from tunewright.cli.main import COMMANDS

    heavy = {"operator", "serve", "ui", "collector"}
    for place, _ in (entry for name, entry in COMMANDS.items() if name not in heavy):
        importlib.import_module(f"tunewright.cli.{place.partition(':')[0]}")
    for name in IMPORTED:
        with contextlib.suppress(ImportError, MissingExtra):  # who needs it will say so
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
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["words"]

    from tunewright.cli.main import main

    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))  # to take apart all that was imported takes longer than to run


if __name__ == "__main__":
    lead(socket.socket(fileno=int(sys.argv[1])))
