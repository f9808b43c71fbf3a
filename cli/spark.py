"""A line of blocks for a row of numbers."""

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int) -> str:
    """Draw the values in at most `width` characters; one that stands for several shows the last.

    NaN and infinities are blanks.
    """
    if width < 1 or not values:
        return ""
    if len(values) > width:
        values = [values[(k + 1) * len(values) // width - 1] for k in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    span = high - low
    return "".join(
        " "
        if not math.isfinite(value)
        else _BLOCKS[3 if span == 0 else round((value - low) / span * (len(_BLOCKS) - 1))]
        for value in values
    )
