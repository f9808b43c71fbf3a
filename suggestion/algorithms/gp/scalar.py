"""Several objectives as one: a loss by weights that are drawn anew for each point.

The weighted sums of Chebyshev's norm reach every place of a front, also of a concave one, so that
points by many weights spread over it (ParEGO, Knowles 2006, IEEE TEC 10(1)).
"""

from collections.abc import Sequence

import numpy as np

from ....api.pareto import Losses, front
from .kernel import Array

_AUGMENTED = 0.05
"""The share of the plain sum: of points that are alike by the norm it prefers the better one."""


def drawn(chance: np.random.Generator, objectives: int) -> Array:
    """Return weights that sum to 1, evenly over all there are."""
    weights = chance.exponential(size=objectives)
    found: Array = weights / weights.sum()
    return found


def scalars(losses: Sequence[Losses], weights: Array) -> Array:
    """Return one loss for each trial; each objective is scaled by what the front spans.

    Infinite ones are the worst, or the best, that is finite.
    """
    every = np.array(losses, dtype=float)
    for column in every.T:
        finite = column[np.isfinite(column)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        np.clip(column, low, high, out=column)
    members = every[front([tuple(row) for row in every])]
    low, span = members.min(axis=0), np.ptp(members, axis=0)
    span = np.where(span > 0.0, span, np.ptp(every, axis=0))
    weighted = weights * (every - low) / np.where(span > 0.0, span, 1.0)
    found: Array = weighted.max(axis=1) + _AUGMENTED * weighted.sum(axis=1)
    return found
