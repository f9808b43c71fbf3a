"""The logarithm of expected improvement (Ament et al. 2023): it has a slope where EI is 0."""

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from .kernel import Array

_LOG_ROOT_TWO_PI = 0.5 * np.log(2.0 * np.pi)
_ROOT_HALF_PI = np.sqrt(np.pi / 2.0)
_FAR = -1e4  # below it the tail's series is exact to double precision


def log_h(z: Array) -> Array:
    """Return log(φ(z) + z·Φ(z)) without loss for any z."""
    near = np.maximum(z, -1.0)
    density = np.exp(-0.5 * near * near - _LOG_ROOT_TWO_PI)
    upper = np.log(density + near * ndtr(near))
    low = np.clip(z, _FAR, -1.0)
    tail = np.log1p(low * _ROOT_HALF_PI * erfcx(-low / np.sqrt(2.0)))
    far = -2.0 * np.log(np.maximum(-z, 1.0))
    lower = -0.5 * z * z - _LOG_ROOT_TWO_PI + np.where(z > -1e3, tail, far)
    found: Array = np.where(z > -1.0, upper, lower)
    return found


def log_ei(mean: Array, variance: Array, best: float) -> Array:
    """Return log E[max(best - f, 0)] where f has this mean and variance."""
    deviation = np.sqrt(variance)
    found: Array = log_h((best - mean) / deviation) + np.log(deviation)
    return found


def log_ei_with_slopes(
    mean: Array, variance: Array, by_mean: Array, by_variance: Array, best: float
) -> tuple[Array, Array]:
    """Return log EI, shape (m,), and its slopes, given those of mean and variance, (m, c)."""
    deviation = np.sqrt(variance)
    z = (best - mean) / deviation
    height = log_h(z)
    ratio = np.exp(log_ndtr(z) - height)
    by_deviation = by_variance / (2.0 * deviation[:, None])
    slopes = (by_deviation - ratio[:, None] * (by_mean + z[:, None] * by_deviation)) / deviation[
        :, None
    ]
    return height + np.log(deviation), slopes
