"""Commands of this program, each in a process of its own, for what needs an engine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..api import errors
from ..api.errors import Codes, Fault, Invalid, Terminal, TunewrightError

COMMAND = (sys.executable, "-P", "-m", "tunewright")
"""This program, without the current folder, where a file may have the name of a library."""

CALLER = "TUNEWRIGHT_CALLER"
"""The variable that names the end of a pipe to who called: when that closes, the caller is gone."""

_LOOK_SECONDS = 0.5
_KNOWN: dict[str, type[TunewrightError]] = {
    each.__name__: each
    for each in (
        errors.Conflict,
        errors.Forbidden,
        errors.NotFound,
        errors.PluginBroken,
        errors.PluginUnavailable,
        errors.ServerUnavailable,
        errors.StoreUnavailable,
        errors.StoreUnwritable,
        errors.Unsupported,
    )
}


class CommandFailed(Terminal):
    """A command failed in a way that has no error of its own; the text is what it said."""

    codes = Codes(exit=1, http=500, grpc="INTERNAL")


def run(words: Sequence[str]) -> str:
    """Run a command unseen, and return what it wrote to its standard error.

    Raises:
        TunewrightError: what the command ended with.
    """
    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_telling(),
        text=True,
        check=False,
    )
    if done.returncode:
        raise error_of(done.stderr, words[0], done.returncode)
    return done.stderr


def show(words: Sequence[str]) -> int:
    """Run a command in this terminal; return 0, or 1 for an experiment that failed.

    Raises:
        TunewrightError: what the command ended with.
    """
    with (
        _leash() as leash,
        subprocess.Popen(
            [*COMMAND, *words], env={**os.environ, CALLER: str(leash)}, pass_fds=[leash]
        ) as running,
        _to_its_end(running, hears_ctrl_c=_is_in_front()),
    ):
        running.wait()
    if running.returncode not in {0, 1}:
        raise CommandFailed(
            f"`tunewright {words[0]}` ended with {running.returncode}; it has said why"
        )
    return running.returncode


def watch(words: Sequence[str], look: Callable[[], None]) -> int:
    """Run a command unseen, and `look` now and then and at its end; return what `show` does.

    Raises:
        TunewrightError: what the command ended with.
    """
    with (
        _leash() as leash,
        subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**_telling(), CALLER: str(leash)},
            pass_fds=[leash],
            text=True,
            process_group=0,  # Ctrl-C is told it once, by us
        ) as running,
        _to_its_end(running, hears_ctrl_c=False),
    ):
        said = _said(running, look)
    told = _told(said)  # 1 is an experiment that failed as well as an engine that could not go on
    if told is not None or running.returncode not in {0, 1}:
        raise told or _untold(said, words[0], running.returncode)
    return running.returncode


@contextmanager
def _leash() -> Iterator[int]:
    """Give the end of a pipe whose other end closes with this process, however that ends."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@contextmanager
def _to_its_end(running: "subprocess.Popen[Any]", *, hears_ctrl_c: bool) -> Iterator[None]:
    """Let what interrupts a block wait for the command, which ends its trials in order.

    It is told once, if it has not heard by itself: the second time makes it end at once.
    """
    try:
        yield
    except BaseException as error:
        is_told = hears_ctrl_c and isinstance(error, KeyboardInterrupt)
        while running.poll() is None:
            if not is_told:
                running.terminate()
            is_told = False
            with suppress(KeyboardInterrupt):
                running.communicate()
        raise


def _is_in_front() -> bool:
    """Say whether the Ctrl-C of a terminal reaches this process, and those that it starts."""
    for descriptor in range(3):
        with suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False


def _said(running: "subprocess.Popen[str]", look: Callable[[], None]) -> str:
    while True:
        try:
            said = running.communicate(timeout=_LOOK_SECONDS)[1]
        except subprocess.TimeoutExpired:
            look()
        else:
            look()
            return said


def error_of(said: str, verb: str, code: int) -> TunewrightError:
    """Return the error that a command told on its last line, or one with all that it said."""
    return _told(said) or _untold(said, verb, code)


def _untold(said: str, verb: str, code: int) -> CommandFailed:
    return CommandFailed(said.strip() or f"`tunewright {verb}` ended with {code}")


def _told(said: str) -> TunewrightError | None:
    """Return the error that a command told on its last line, if it did."""
    try:
        told = json.loads(said.strip().splitlines()[-1])
        name, message = told["error"], told["message"]
        faults = [Fault(**each) for each in told["faults"]]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    if name == Invalid.__name__:
        return Invalid(faults)
    return _KNOWN.get(name, CommandFailed)(message)


def _telling() -> dict[str, str]:
    return {**os.environ, errors.TELL: "json"}
