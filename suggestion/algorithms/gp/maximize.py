"""The most promising points: many starts, ascents in what is continuous, levels by neighbours."""

import numpy as np

from .acquisition import log_ei, log_ei_with_slopes
from .ascent import ascend
from .encoding import Encoding
from .kernel import Array
from .model import Model

_RANDOM, _NEAR = 512, 256
_STARTS_RANDOM, _STARTS_NEAR = 6, 4
_ROUNDS = 4
_LEAST_CHANCE = 1e-3


class Score:
    """Log expected improvement, and the log of the chance that a trial does not fail.

    It sees rows in the coordinates of the region that it was modelled in.
    """

    def __init__(self, model: Model, best: float, failures: Model | None) -> None:
        self._model, self._best, self._failures = model, best, failures

    def heights(self, rows: Array) -> Array:
        mean, variance = self._model.posterior(rows)
        found = log_ei(mean, variance, self._best)
        if self._failures is not None:
            failing, _ = self._failures.posterior(rows)
            found = found + np.log(np.clip(1.0 - failing, _LEAST_CHANCE, 1.0))
        return found

    def __call__(self, rows: Array) -> tuple[Array, Array]:
        heights, slopes = log_ei_with_slopes(*self._model.posterior_with_slopes(rows), self._best)
        if self._failures is None:
            return heights, slopes
        failing, _, by_failing, _ = self._failures.posterior_with_slopes(rows)
        chance = np.clip(1.0 - failing, _LEAST_CHANCE, 1.0)
        moves = (chance > _LEAST_CHANCE) & (chance < 1.0)
        heights = heights + np.log(chance)
        return heights, slopes - np.where(moves[:, None], by_failing / chance[:, None], 0.0)


def maximize(
    score: Score, encoding: Encoding, good: Array, idle: Array, chance: np.random.Generator
) -> tuple[Array, float]:
    """Return rows of the region, the most promising first, and the height of the first.

    `good` are rows to look near; `idle` holds what is inactive, in the region's coordinates.
    """
    anywhere = encoding.spread(chance.random((_RANDOM, len(encoding.blocks))))
    anywhere, _ = encoding.settled(anywhere, idle)
    near, _ = encoding.settled(_near(encoding, good, chance), idle)
    starts = np.vstack(
        [
            _best(anywhere, score.heights(anywhere), _STARTS_RANDOM),
            _best(near, score.heights(near), _STARTS_NEAR),
        ]
    )
    is_free, is_coarse = bool(encoding.free.any()), not bool(encoding.free.all())
    heights = score.heights(starts)
    for _ in range(_ROUNDS):
        before = heights
        if is_free:
            _, free = encoding.settled(starts, idle)
            starts, heights = ascend(score, starts, free)
        if not is_coarse:
            break
        starts, heights = _stepped(score, encoding, idle, starts, heights)
        if float((heights - before).max()) < 1e-6:
            break
    order = np.argsort(-heights, kind="stable")
    return starts[order], float(heights[order[0]])


def _near(encoding: Encoding, good: Array, chance: np.random.Generator) -> Array:
    """Return rows around the good ones, at distances of several magnitudes."""
    rows = good[chance.integers(len(good), size=_NEAR)].copy()
    size = 10.0 ** chance.uniform(-3.5, -0.5, size=(_NEAR, 1))
    moved = chance.random(rows.shape) < max(0.3, 3.0 / encoding.width)
    steps = size * chance.standard_normal(rows.shape) * moved
    rows[:, encoding.free] = np.clip(rows + steps, 0.0, 1.0)[:, encoding.free]
    other = encoding.spread(chance.random((_NEAR, len(encoding.blocks))))
    for block in encoding.blocks:
        if block.levels is not None:
            flipped = chance.random(_NEAR) < 1.0 / len(encoding.blocks)
            rows[flipped, block.first : block.last] = other[flipped, block.first : block.last]
    return rows


def _best(rows: Array, heights: Array, count: int) -> Array:
    found: Array = rows[np.argsort(-heights, kind="stable")[:count]]
    return found


def _stepped(
    score: Score, encoding: Encoding, idle: Array, rows: Array, heights: Array
) -> tuple[Array, Array]:
    """Move each row to its best neighbour, where that is better."""
    around, owners = encoding.neighbours(rows)
    around, _ = encoding.settled(around, idle)
    found = score.heights(around)
    order = np.argsort(found, kind="stable")
    best = np.zeros(len(rows), dtype=int)
    best[owners[order]] = order  # the highest comes last, and stays
    better = found[best] > heights
    return np.where(better[:, None], around[best], rows), np.where(better, found[best], heights)
