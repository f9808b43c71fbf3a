"""How a command ends: the one place where errors become messages and exit codes.

0    it did what was asked; an experiment that was driven or waited for succeeded
1    the experiment failed, or something went wrong on the way
2    the input is wrong: a file, an option, a name; or a package is missing
130  interrupted
"""

import errno
import io
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ..api.errors import TELL, Invalid, TunewrightError
from . import console

OK = 0
FAILED = 1
INVALID = 2
INTERRUPTED = 130


def guarded(command: click.Command) -> int:
    """Run a command to its exit code. No traceback reaches the terminal."""
    _open_what_is_closed()
    _replace_unencodable()
    color = console.color()
    with click.Context(command, color=color):  # colours messages after the command's own context
        return _guarded(command, color)


def _guarded(command: click.Command, color: bool | None) -> int:
    try:
        code = command.main(prog_name="tunewright", standalone_mode=False, color=color)
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except BaseException as error:  # noqa: BLE001 - a bug ends here, with its traceback on disk
        code = code_of(error)
        _leave_nothing_to_print()
        return code
    return code if isinstance(code, int) else OK


def _open_what_is_closed() -> None:
    """Open streams that were closed before the start (`<&-`, `>&-`) as the null device."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - to the end
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end


def _replace_unencodable() -> None:
    r"""Print a character that the output's encoding lacks as `\u2192` instead of failing.

    On a terminal as `?`, so that columns stay aligned.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace" if sys.stdout.isatty() else "backslashreplace")


def _leave_nothing_to_print() -> None:
    """Keep Python from failing to flush stdout at its end, which would change the exit code."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        console.give_up_stdout()


def code_of(error: BaseException) -> int:
    """Print what an error has to say, and return what the command ends with."""
    match error:
        case BrokenPipeError():
            return FAILED
        case KeyboardInterrupt() | click.Abort():
            click.echo("interrupted", err=True)
            return INTERRUPTED
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case TunewrightError():
            show(error)
            return error.codes.exit
        case _:
            _report_unforeseen(error)
            return FAILED


def show(error: TunewrightError) -> None:
    """Print an error with everything that it lists, one a line."""
    if _is_told():
        faults = [asdict(fault) for fault in error.faults] if isinstance(error, Invalid) else []
        _tell(error, str(error), faults)
        return
    listed = [str(fault) for fault in error.faults] if isinstance(error, Invalid) else [str(error)]
    for text in listed:
        _show_text(text or type(error).__name__)
    if len(listed) > 1:
        click.echo(f"{len(listed)} errors", err=True)


def _is_told() -> bool:
    """Whether a program reads what is said here."""
    return os.environ.get(TELL) == "json"


def _tell(error: BaseException, message: str, faults: Sequence[Mapping[str, object]] = ()) -> None:
    told = {"error": type(error).__name__, "message": message, "faults": faults}
    click.echo(json.dumps(told), err=True)


def _show_text(text: str) -> None:
    first, *rest = text.splitlines()
    click.echo(f"{click.style('error:', fg='red', bold=True)} {first}", err=True)
    for line in rest:
        click.echo(f"  {line.strip()}", err=True)


_OF_THE_MACHINE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for more",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "fix its permissions, or choose another place",
    errno.EPERM: "fix its permissions, or choose another place",
    errno.ENOENT: "create its folder first, or choose another place",
    errno.ENOTDIR: "a part of the path is not a folder: choose another place",
    errno.EISDIR: "name a file in it",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.ELOOP: "mend the links, or choose another place",
    errno.EIO: "check the disk, or choose another place",
    errno.ESTALE: "mount its file system again, or choose another place",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f), or choose another place",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EAGAIN: "end other processes, or raise their limit (ulimit -u)",
    errno.ENOMEM: "free some memory",
}
"""What the machine may lack wherever a file is used, each with its remedy."""


_IN_WORDS = {"start new thread": errno.EAGAIN, "Symlink loop": errno.ELOOP}
"""What Python says of some of these in words only."""


def _report_unforeseen(error: BaseException) -> None:
    known = _of_the_machine(error)
    if known is None:
        where = _log(error)
        brief = f"this is a bug: {type(error).__name__}: {error}".splitlines()[0]
        known = f"{brief}\nThe traceback is in {where}"
    if _is_told():
        _tell(error, known)
    else:
        _show_text(known)


def _of_the_machine(error: BaseException) -> str | None:
    """Say what the machine lacks, if that is all, with its remedy."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # only getcwd names none
        return "the current folder no longer exists (cd to one that does)"
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror} ({_OF_THE_MACHINE[error.errno]})"
    if isinstance(error, RuntimeError):
        for words, number in _IN_WORDS.items():
            if words in str(error):
                return f"{error} ({_OF_THE_MACHINE[number]})"
    return None


def _log(error: BaseException) -> Path:
    """Write the traceback where the user can find it, and may write."""
    text = "".join(traceback.format_exception(error))
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in (_logs(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(f"{' '.join(map(repr, sys.argv))}\n{text}", encoding="utf-8")
        except OSError:
            continue
        return path
    return Path(os.devnull)


def _logs() -> Path:
    from ..sdk.home import home_folder

    try:
        return home_folder() / "logs"
    except Invalid:
        return Path(tempfile.gettempdir())
