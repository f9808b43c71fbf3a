"""What commands print: tables for people, JSON and YAML for programs."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from ..api.errors import Fault, Invalid
from ..api.space import Value, format_value
from ..api.states import ExperimentState
from ..sdk.plain import plain


def emit(data: object, output: str, table: Callable[[], None]) -> None:
    """Print `data` as `output` says; `table` prints it for people."""
    if output == "json":
        click.echo(json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False))
    elif output == "yaml":
        click.echo(as_yaml(plain(data)), nl=False)
    else:
        table()


def as_yaml(data: object) -> str:
    from ..api import yaml_source

    return yaml_source.write(data)


def is_drawn() -> bool:
    """Say whether stdout is a terminal on which printed lines can be drawn over."""
    return sys.stdout.isatty() and not _is_dumb()


def color() -> bool | None:
    """Return False for no colours (https://no-color.org), None to let click decide."""
    return False if _is_dumb() or os.environ.get("NO_COLOR") else None


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


_WIDEST = 48  # characters of a text in the place of a number


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, headers in capitals; on a terminal lines are cut at its width."""
    cells = [[header.upper() for header in headers]]
    cells += [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(clip(line.rstrip(), limit))


def clip(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    return clip(number(value), _WIDEST) if isinstance(value, float) else brief(str(value))


def brief(text: str) -> str:
    """Return a message as one line: its first line and, of a traceback or log, its last."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return " … ".join([*lines[:1], *lines[1:][-1:]]).replace(": … ", ": ")


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values below one another; what is absent is left out."""
    shown = [(name, value) for name, value in pairs if value not in {None, ""}]
    width = max((len(name) for name, _ in shown), default=0) + 2
    for name, value in shown:
        text = _cell(value) if isinstance(value, float) else str(value)
        first, *more = text.splitlines() or [""]
        click.echo(f"{(name + ':').ljust(width)}{first}")
        for line in more:
            click.echo(" " * width + line)


def heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def number(value: float | None) -> str:
    """Write a measured value with six digits: enough to compare, short enough to read."""
    return "-" if value is None else f"{value:.6g}"


def point(values: Iterable[tuple[str, Value]]) -> str:
    """Write a point in one line; floats are shortened for reading."""
    return " ".join(
        f"{name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in values
    )


def exact_point(values: Iterable[tuple[str, Value]]) -> str:
    return " ".join(f"{name}={format_value(value)}" for name, value in values)


def state(data: Mapping[str, Any]) -> str:
    """Return the state of an experiment, and what else keeps it from going on."""
    if ExperimentState(data["state"]).is_finished:
        return str(data["state"])
    beside = " (paused)" if data["suspended"] else " (interrupted)" if data["interrupted"] else ""
    return f"{data['state']}{beside}"


def duration(seconds: float | None) -> str:
    """Write a length of time in two units at most; none where a clock was set back meanwhile."""
    if seconds is None:
        return "-"
    seconds = max(seconds, 0.0)
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{whole}s"
    for size, unit, small, name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit}" + (f"{rest}{name}" if rest else "")
    return f"{whole}s"


def moment(seconds: float | None) -> str | None:
    """Write a time in this machine's time zone."""
    if seconds is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def note(text: str) -> None:
    """Tell a person something that is not part of the output, if stderr can be written."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def warn(text: str) -> None:
    note(f"{click.style('warning:', fg='yellow', bold=True)} {text}")


def copy(data: bytes) -> None:
    """Print what a trial printed; a closed pipe or a full disk ends no trial."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        go_on_unseen(error)


def go_on_unseen(error: OSError) -> None:
    """Discard all further output, and say so once."""
    give_up_stdout()
    note(f"The run continues, but its output cannot be written: {error.strerror}.")


def give_up_stdout() -> None:
    """Discard all further output, and what is still in the buffer."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def asking(command: str, remedy: str) -> Iterator[None]:
    """Let the block ask a person.

    Raises:
        Invalid: stdin is not a terminal, and nobody answers.
    """
    try:
        yield
    except click.Abort:
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise Invalid([Fault(command, "it asks, and nobody answers", remedy)]) from None
