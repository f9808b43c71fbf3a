"""Matérn's kernel with smoothness 5/2, as a function of the squared distance.

k(s) = (1 + √5·√s + 5s/3)·exp(-√5·√s), s = Σ weights·(difference)². Its slope in s is finite
at s = 0, so that no gradient needs a special case there.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


def squared_distances(left: Array, right: Array, weights: Array) -> Array:
    """Return s for each pair of rows, shape (rows of left, rows of right)."""
    # About the mean of a column, so that near rows do not cancel what tells them apart.
    middle = right.mean(axis=0)
    a, b = (left - middle) * np.sqrt(weights), (right - middle) * np.sqrt(weights)
    sums = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :]
    found: Array = np.maximum(sums - 2.0 * (a @ b.T), 0.0)
    return found


def matern(squared: Array) -> tuple[Array, Array]:
    """Return k(s) and dk/ds."""
    root = np.sqrt(5.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root + root * root / 3.0) * decay, (-5.0 / 6.0) * (1.0 + root) * decay
