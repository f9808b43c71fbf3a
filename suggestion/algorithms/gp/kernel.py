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


class Anchors:
    """Rows that others are measured from, many times."""

    def __init__(self, rows: Array, weights: Array) -> None:
        # About the mean of a column, so that near rows do not cancel what tells them apart.
        self._middle = rows.mean(axis=0)
        self._roots = np.sqrt(weights)
        self._scaled = (rows - self._middle) * self._roots
        self._sums = dot(self._scaled, self._scaled)

    def squared_distances(self, rows: Array) -> Array:
        """Return s for each pair, shape (rows, anchors)."""
        scaled = (rows - self._middle) * self._roots
        sums = dot(scaled, scaled)[:, None] + self._sums
        found: Array = np.maximum(sums - 2.0 * (scaled @ self._scaled.T), 0.0)
        return found


def dot(left: Array, right: Array) -> Array:
    """Return the sums of products over the last axis: of small arrays several times as fast."""
    found: Array = np.einsum("...c,...c->...", left, right)
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
