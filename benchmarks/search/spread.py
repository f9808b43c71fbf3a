"""The median of a sample with its quartiles, as the tables show it."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], form: str = ".2g") -> str:
    if len(values) < 2:
        return f"{values[0]:{form}}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ({low:{form}} – {high:{form}})"
