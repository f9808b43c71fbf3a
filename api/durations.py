"""Lengths of time as files write them: `90`, `90s`, `1h30m`, `2d`."""

import math
import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(written: float | str) -> float:
    """Return the seconds of a number of seconds, or of text such as `1h30m`.

    Raises:
        ValueError: it is neither, or negative, or not finite.
    """
    if isinstance(written, str) and _WHOLE.fullmatch(written.strip()):
        return sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(written))
    try:
        seconds = float(written)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{written} is not a duration: write seconds, or 90s, 1h30m, 2d")
    return seconds
