"""Values as strict JSON can hold them."""

import json
import math
from enum import Enum
from typing import Any

from ..api.observation import TextValue


def plain(value: object) -> Any:
    """Return the value as strict JSON can hold it: NaN and infinity become their names."""
    if isinstance(value, TextValue):
        return value.text
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def native(value: object) -> Any:
    """Return what a scalar of numpy, or of what is like it, holds; anything else as it is.

    A member of an enum that is a text or a number holds that.
    """
    if isinstance(value, Enum) and isinstance(value, str | int | float):
        return value.value
    try:
        return value.item()  # type: ignore[attr-defined]  # most have none
    except (AttributeError, ValueError, RuntimeError):  # none, or of several
        return value


def encoded(value: object) -> bytes:
    """Write strict JSON. Nearly all values are plain already: they are not copied first."""
    try:
        text = _dumps(value)
    except (TypeError, ValueError):
        text = _dumps(plain(value))
    return text.encode()


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
