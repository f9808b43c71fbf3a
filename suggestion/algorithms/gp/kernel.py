"""Matérn's kernels, as functions of the squared distance s = Σ weights·(difference)²."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]
Kernel: TypeAlias = Callable[[Array], tuple[Array, Array]]
"""Takes squared distances; returns k(s) and dk/ds."""

_NEAR = 1e-4  # nearer than this, the rough kernel's slope is taken as it is here


def squared_distances(left: Array, right: Array, weights: Array) -> Array:
    """Return s for each pair of rows, shape (rows of left, rows of right)."""
    # About the mean of a column, so that near rows do not cancel what tells them apart.
    middle = right.mean(axis=0)
    a, b = (left - middle) * np.sqrt(weights), (right - middle) * np.sqrt(weights)
    sums = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :]
    found: Array = np.maximum(sums - 2.0 * (a @ b.T), 0.0)
    return found


def smooth(squared: Array) -> tuple[Array, Array]:
    """Of smoothness 5/2: k(s) = (1 + √5·√s + 5s/3)·exp(-√5·√s)."""
    root = np.sqrt(5.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root + root * root / 3.0) * decay, (-5.0 / 6.0) * (1.0 + root) * decay


def rough(squared: Array) -> tuple[Array, Array]:
    """Of smoothness 1/2: k(s) = exp(-√s), for objectives of jumps and plateaus.

    Its slope is infinite at s = 0 alone, where the difference that it is multiplied by is 0.
    """
    root = np.sqrt(squared)
    decay = np.exp(-root)
    return decay, -0.5 * decay / np.maximum(root, _NEAR)
