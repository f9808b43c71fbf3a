"""When and at which step a line was printed, as far as the line says so."""

import re
from datetime import datetime

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)")

# The first kind that a line holds counts: what runs through the whole training
# before what starts again. Each stands beside a word that a line of it holds.
_STEPS = tuple(
    (
        word,
        re.compile(
            rb"(?<![\w./@-])"
            + name
            # Blanks are never given back: a line of many would be gone through again and again.
            + rb"""["']?\s*+(?:[=:]\s*+)?(?:["'\[(]\s*+)?(\d{1,18})(?:\.0*)?(?![\w.])"""
        ),
    )
    for word, name in (
        (b"step", rb"global[ _]?step"),
        (b"step", rb"steps?"),
        (b"iter", rb"iter(?:ation)?"),
        (b"round", rb"round"),
        (b"batch", rb"batch"),
        (b"epoch", rb"epoch"),
    )
)
_ROUND = re.compile(rb"\s*(?:\[(\d{1,18})\]|(\d{1,18}):)\s")


def timestamp(token: str) -> float | None:
    """Read RFC 3339, to the nanosecond, as seconds since the epoch."""
    found = _STAMP.fullmatch(token)
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
    return whole + float(f"0.{found[2]}") if found[2] else whole


def line_time(line: bytes) -> float | None:
    """Return the time that a line begins with."""
    if line[10:11] != b"T" or line[4:5] != b"-":
        return None
    token, blank, _ = line.partition(b" ")
    return timestamp(token.decode("ascii", "replace")) if blank else None


def line_step(line: bytes) -> tuple[int, int] | None:
    """Return the step, iteration or epoch that a line tells, and where its digits begin."""
    low = line.lower()
    for word, pattern in _STEPS:
        found = pattern.search(low) if word in low else None
        if found is not None:
            return int(found[1]), found.start(1)
    found = _ROUND.match(line)
    if found is None:
        return None
    group = found.lastindex or 0
    return int(found[group]), found.start(group)
