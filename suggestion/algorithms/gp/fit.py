"""Hyperparameters of greatest posterior density, by L-BFGS with analytic gradients.

Mean and amplitude are profiled out: at their best values the density's slope in the others
is its partial one. The prior on lengthscales grows with the root of the number of
dimensions (Hvarfner et al. 2024), so that a process in many dimensions is not too complex.
How rough the process is the density decides, too: a smooth one takes jumps for noise, and then
tries again what it has seen.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import LinAlgError, cholesky, lapack
from scipy.optimize import minimize

from .encoding import Columns
from .kernel import Array, Kernel, rough, smooth
from .model import JITTER, Hyperparameters
from .warping import Kumaraswamy

_LENGTH_DEVIATION = np.sqrt(3.0)
_WARP_DEVIATION = 0.5
_NOISE_CENTRE, _NOISE_DEVIATION = np.log(1e-6), 4.0
_LENGTHS = (np.log(0.005), np.log(200.0))
_WARPS = (np.log(0.25), np.log(4.0))
_NOISES = (np.log(1e-9), np.log(2.0))
_STARTS: Sequence[tuple[Kernel, float]] = ((smooth, 1e-5), (smooth, 1e-1), (rough, 1e-5))
"""Kernels, and the noise to start from."""
_WIDE = 8
"""From so many parameters on the process is smooth: all trials are far from one another there, and
a rough one expects nothing of a place between them."""
_ITERATIONS = 60
_HOPELESS = 1e25


class Density:
    """The negative log posterior of n observations, and its gradient.

    Parameters in order: log lengthscale of each axis, log a and log b of each warped column,
    log noise.
    """

    def __init__(
        self, columns: Columns, units: Array, losses: Array, noises: Array, kernel: Kernel
    ) -> None:
        self.kernel = kernel
        self.columns, self.units, self.losses, self.noises = columns, units, losses, noises
        self._warped = np.flatnonzero(columns.warped)
        self._incidence = np.eye(columns.axes)[columns.axis]  # (c, axes)
        parts = [columns.axes, 2 * len(self._warped), 1]
        centre = np.sqrt(2.0) + 0.5 * np.log(columns.axes)
        self._centres = np.repeat([centre, 0.0, _NOISE_CENTRE], parts)
        self._deviations = np.repeat([_LENGTH_DEVIATION, _WARP_DEVIATION, _NOISE_DEVIATION], parts)

    def start(self, noise: float) -> Array:
        axes, warps = self.columns.axes, 2 * len(self._warped)
        length = np.log(0.5) + 0.5 * np.log(axes)
        return np.concatenate([np.full(axes, length), np.zeros(warps), [np.log(noise)]])

    def bounds(self) -> Sequence[tuple[float, float]]:
        axes, warps = self.columns.axes, 2 * len(self._warped)
        return [_LENGTHS] * axes + [_WARPS] * warps + [_NOISES]

    def hyperparameters(self, at: Array) -> Hyperparameters:
        axes, warps = self.columns.axes, len(self._warped)
        a, b = np.ones(len(self.columns.axis)), np.ones(len(self.columns.axis))
        a[self._warped] = np.exp(at[axes : axes + warps])
        b[self._warped] = np.exp(at[axes + warps : axes + 2 * warps])
        weights = np.exp(-2.0 * at[:axes])[self.columns.axis]
        return Hyperparameters(weights, Kumaraswamy(a, b), float(np.exp(at[-1])), self.kernel)

    def __call__(self, at: Array) -> tuple[float, Array]:
        hyper = self.hyperparameters(at)
        rows = hyper.warp.apply(self.units)
        covariance, slope = hyper.covariances(rows)
        diagonal = np.diag_indices_from(covariance)
        covariance[diagonal] = 1.0 + hyper.noise * self.noises + JITTER
        try:
            lower = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return _HOPELESS, np.zeros_like(at)
        logs = float(np.log(np.diag(lower)).sum())
        inverse, _ = lapack.dpotri(lower, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        ones = inverse.sum(axis=1)
        rest = self.losses - float(ones @ self.losses) / float(ones.sum())
        alpha = inverse @ rest
        count = len(rest)
        amplitude = max(float(rest @ alpha) / count, 1e-12)
        by_covariance = 0.5 * (inverse - np.outer(alpha, alpha) / amplitude)
        prior, by_prior = self._prior(at)
        value = 0.5 * count * np.log(amplitude) + logs + prior
        by_noise = hyper.noise * float(by_covariance[diagonal] @ self.noises)
        return value, by_prior + self._chained(hyper, rows, by_covariance * slope, by_noise)

    def _chained(
        self, hyper: Hyperparameters, rows: Array, by_distance: Array, by_noise: float
    ) -> Array:
        """Carry a slope in the squared distances on to the parameters."""
        mass = by_distance.sum(axis=1)
        pulled = by_distance @ rows
        spread = 2.0 * (mass @ (rows * rows) - (rows * pulled).sum(axis=0))
        by_length = (-2.0 * hyper.weights * spread) @ self._incidence
        by_rows = 4.0 * hyper.weights * (mass[:, None] * rows - pulled)
        by_a, by_b = hyper.warp.slopes_of_logs(self.units)
        return np.concatenate(
            [
                by_length,
                (by_rows * by_a).sum(axis=0)[self._warped],
                (by_rows * by_b).sum(axis=0)[self._warped],
                [by_noise],
            ]
        )

    def _prior(self, at: Array) -> tuple[float, Array]:
        away = (at - self._centres) / self._deviations
        return 0.5 * float(away @ away), away / self._deviations


def fit(columns: Columns, units: Array, losses: Array, noises: Array) -> Hyperparameters:
    """Return the best hyperparameters that are found from a few fixed starts."""
    found = []
    for kernel, noise in _STARTS:
        if kernel is rough and columns.axes >= _WIDE:
            continue
        density = Density(columns, units, losses, noises, kernel)
        ended = minimize(
            density,
            density.start(noise),
            jac=True,
            method="L-BFGS-B",
            bounds=density.bounds(),
            options={"maxiter": _ITERATIONS, "ftol": 1e-6},
        )
        found.append((float(ended.fun), density.hyperparameters(ended.x)))
    return min(found, key=lambda each: each[0])[1]
