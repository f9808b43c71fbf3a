"""Warps that make an objective look like a draw from a stationary Gaussian process."""

import math
import sys
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ...history import GREATEST_LOSS
from .kernel import Array

_EDGE = 1e-6  # a warp's slope may be infinite at the ends of the interval


@dataclass(frozen=True, slots=True)
class Kumaraswamy:
    """z = 1 - (1 - u^a)^b for each column (Snoek et al. 2014, by Kumaraswamy's distribution)."""

    a: Array
    b: Array

    def apply(self, units: Array) -> Array:
        inner = np.clip(units, _EDGE, 1 - _EDGE) ** self.a
        warped: Array = 1.0 - (1.0 - inner) ** self.b
        return warped

    def apply_with_slope(self, units: Array) -> tuple[Array, Array]:
        """Return z and dz/du."""
        u = np.clip(units, _EDGE, 1 - _EDGE)
        inner = u**self.a
        rest = (1.0 - inner) ** self.b
        return 1.0 - rest, self.a * self.b * (inner / u) * (rest / (1.0 - inner))

    def slopes_of_logs(self, units: Array) -> tuple[Array, Array]:
        """Return dz/d(log a) and dz/d(log b)."""
        u = np.clip(units, _EDGE, 1 - _EDGE)
        inner = u**self.a
        rest = 1.0 - inner
        by_a: Array = self.a * self.b * rest ** (self.b - 1) * inner * np.log(u)
        by_b: Array = -self.b * rest**self.b * np.log(rest)
        return by_a, by_b


def tamed(losses: Array) -> tuple[Array, float]:
    """Return losses of mean 0 and deviation 1 in which bad ones do not drown good ones, and
    what a difference of 1 among the good ones was before.

    Those worse than the median are replaced by what their rank would be worth in a normal
    distribution whose spread is that of the better half. Infinite losses are the worst, or
    the best, by their rank.
    """
    finite = losses[np.isfinite(losses)]
    if finite.size == 0:
        return np.zeros_like(losses), 1.0
    low, high = max(finite.min(), -GREATEST_LOSS), min(finite.max(), GREATEST_LOSS)
    # The squares of the smallest would be 0; a power of two leaves all digits as they are.
    exponent = math.frexp(max(abs(low), abs(high)))[1]
    found = np.ldexp(np.clip(losses, low, high), -exponent)
    middle = float(np.median(found))
    better = found[found <= middle]
    spread = float(np.sqrt(np.mean((better - middle) ** 2)))
    if spread <= 1e-12 * max(abs(middle), 1e-300):
        spread = float(found.std())
    if spread == 0.0:
        return np.zeros_like(losses), 1.0
    worse = found > middle
    levels, places = np.unique(found[worse], return_inverse=True)
    share = 0.5 + 0.5 * (np.arange(levels.size) + 0.5) / max(levels.size, 1)
    found = (found - middle) / spread
    found[worse] = np.minimum(ndtri(share)[places], found[worse])
    deviation = float(found.std())
    deviation = deviation if deviation > 0.0 else 1.0
    scale = max(math.ldexp(spread * deviation, exponent), sys.float_info.min)
    return (found - found.mean()) / deviation, scale
