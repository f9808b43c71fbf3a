"""The process, given its hyperparameters and what was observed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from .kernel import Anchors, Array, Kernel, dot, smooth
from .warping import Kumaraswamy

JITTER = 1e-9
_LEAST_VARIANCE = 1e-14


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """`weights` (one a column) are 1/lengthscale²; `noise` is the share of the amplitude."""

    weights: Array
    warp: Kumaraswamy
    noise: float
    kernel: Kernel = smooth

    def covariances(self, rows: Array) -> tuple[Array, Array]:
        """Return those of n warped rows with one another, shape (n, n), and their slopes in s."""
        return self.kernel(Anchors(rows, self.weights).squared_distances(rows))


@dataclass(frozen=True)
class Model:
    """A process conditioned on n rows of c columns, each in [0, 1].

    Its kernel has amplitude 1; `amplitude` is the variance that the losses say. `factor` is
    the inverse of the lower Cholesky factor of the covariance.
    """

    hyper: Hyperparameters
    rows: Array  # (n, c), warped
    losses: Array
    mean: float
    amplitude: float
    factor: Array
    alpha: Array

    @classmethod
    def of(cls, hyper: Hyperparameters, units: Array, losses: Array, noises: Array) -> "Model":
        """`noises` are shares of the noise's level, 1 where nothing is known."""
        rows = hyper.warp.apply(units)
        covariance, _ = hyper.covariances(rows)
        covariance[np.diag_indices_from(covariance)] += hyper.noise * noises + JITTER
        lower = robust_cholesky(covariance)
        identity = np.eye(len(rows))
        factor = solve_triangular(lower, identity, lower=True, check_finite=False)
        return cls._with(hyper, rows, losses, factor)

    @classmethod
    def _with(cls, hyper: Hyperparameters, rows: Array, losses: Array, factor: Array) -> "Model":
        ones, values = factor.sum(axis=1), factor @ losses
        mean = float(ones @ values / (ones @ ones))
        rest = values - mean * ones
        amplitude = max(float(rest @ rest) / len(losses), 1e-12)
        return cls(hyper, rows, losses, mean, amplitude, factor, factor.T @ rest)

    def believing(self, units: Array, least: float = -np.inf) -> "Model":
        """Return the model after one more row, whose loss is what this one expects there.

        The loss is taken to be `least` if less is expected; otherwise expectations elsewhere
        stay. The factor grows by a row; mean and amplitude stay.
        """
        row = self.hyper.warp.apply(units)[None, :]
        covariance, _ = self._covariances(row)
        solved = self.factor @ covariance[0]
        corner = np.sqrt(max(1.0 + self.hyper.noise + JITTER - float(solved @ solved), JITTER))
        count = len(self.rows)
        factor = np.zeros((count + 1, count + 1))
        factor[:count, :count] = self.factor
        pulled = solved @ self.factor
        factor[count, :count] = -pulled / corner
        factor[count, count] = 1.0 / corner
        expected = self.mean + float(covariance[0] @ self.alpha)
        believed = max(expected, least)
        push = (believed - expected) / corner**2
        return Model(
            self.hyper,
            np.vstack([self.rows, row]),
            np.append(self.losses, believed),
            self.mean,
            self.amplitude,
            factor,
            np.append(self.alpha - push * pulled, push),
        )

    def expected(self) -> Array:
        """Return what it expects at its own rows, the noise taken out."""
        covariance, _ = self._covariances(self.rows)
        found: Array = self.mean + covariance @ self.alpha
        return found

    @cached_property
    def _anchors(self) -> Anchors:
        return Anchors(self.rows, self.hyper.weights)

    def _covariances(self, rows: Array) -> tuple[Array, Array]:
        """Return those of warped rows with the model's own, and their slopes in s."""
        return self.hyper.kernel(self._anchors.squared_distances(rows))

    def posterior(self, units: Array) -> tuple[Array, Array]:
        """Return mean and variance of the objective at m rows."""
        rows = self.hyper.warp.apply(units)
        covariance, _ = self._covariances(rows)
        solved = covariance @ self.factor.T
        variance = np.maximum(1.0 - dot(solved, solved), _LEAST_VARIANCE)
        return self.mean + covariance @ self.alpha, self.amplitude * variance

    def posterior_with_slopes(self, units: Array) -> tuple[Array, Array, Array, Array]:
        """Return mean and variance, shape (m,), and their slopes in the units, (m, c)."""
        rows, bend = self.hyper.warp.apply_with_slope(units)
        covariance, slope = self._covariances(rows)
        solved = covariance @ self.factor.T
        variance = np.maximum(1.0 - dot(solved, solved), _LEAST_VARIANCE)
        chain = 2.0 * self.hyper.weights * bend
        by_mean = slope * self.alpha
        by_variance = slope * (solved @ self.factor)
        return (
            self.mean + covariance @ self.alpha,
            self.amplitude * variance,
            chain * (rows * by_mean.sum(axis=1)[:, None] - by_mean @ self.rows),
            -2.0
            * self.amplitude
            * chain
            * (rows * by_variance.sum(axis=1)[:, None] - by_variance @ self.rows),
        )


def robust_cholesky(covariance: Array) -> Array:
    """Return the lower factor; what rounding made indefinite gets a larger diagonal."""
    jitter = 0.0
    diagonal = np.diag_indices_from(covariance)
    for _ in range(8):
        try:
            lower: Array = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            jitter = max(10.0 * jitter, 1e-9)
            covariance = covariance.copy()
            covariance[diagonal] += jitter
        else:
            return lower
    raise AssertionError("a covariance with a tenth on its diagonal has a factor")
