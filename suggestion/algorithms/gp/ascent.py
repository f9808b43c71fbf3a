"""Many ascents at once: L-BFGS within a box, vectorized over the starts."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .kernel import Array, Mask, dot

Ascended: TypeAlias = Callable[[Array], tuple[Array, Array]]
"""Takes (m, c) points; returns (m,) heights and (m, c) slopes."""

_MEMORY = 6
_ROUNDS = 40
_ARMIJO = 1e-4
_LONGEST = 0.3  # of a step, in the cube
_LEAST_RISE = 1e-6
_LEAST_STEP = 1e-3  # of what the direction says


def ascend(function: Ascended, starts: Array, free: Mask) -> tuple[Array, Array]:
    """Return where the ascents ended, and how high.

    Only what is `free`, (m, c), moves, between 0 and 1. Each ascent has a memory and a step of
    its own; a step that does not climb enough is shortened in the next round. They end when each
    has come to where a step hardly raises it.
    """
    at = starts.copy()
    heights, slopes = function(at)
    moves: list[Array] = []
    turns: list[Array] = []
    step = np.ones(len(at))
    arrived = np.zeros(len(at), dtype=bool)
    steep = np.where(_movable(at, slopes, free), slopes, 0.0)
    direction = _first(steep)
    for _ in range(_ROUNDS):
        target = np.clip(at + step[:, None] * direction, 0.0, 1.0)
        found, found_slopes = function(target)
        gain = dot(target - at, slopes)
        taken = (found >= heights + _ARMIJO * gain) & (gain > 0.0)
        move = np.where(taken[:, None], target - at, 0.0)
        turn = np.where(taken[:, None], slopes - found_slopes, 0.0)
        at = np.where(taken[:, None], target, at)
        arrived |= np.where(taken, found - heights < _LEAST_RISE, step < _LEAST_STEP)
        heights = np.where(taken, found, heights)
        slopes = np.where(taken[:, None], found_slopes, slopes)
        if arrived.all():
            break
        moves, turns = [*moves, move][-_MEMORY:], [*turns, turn][-_MEMORY:]
        mask = _movable(at, slopes, free)
        newer = _two_loops(np.where(mask, slopes, 0.0), moves, turns, mask)
        direction = np.where(taken[:, None], newer, direction)
        step = np.where(taken, 1.0, step * 0.3)
    return at, heights


def _movable(at: Array, slopes: Array, free: Mask) -> Mask:
    held = ((at <= 0.0) & (slopes < 0)) | ((at >= 1.0) & (slopes > 0))
    movable: Mask = free & ~held
    return movable


def _first(slopes: Array) -> Array:
    longest = np.abs(slopes).max(axis=1, keepdims=True)
    first: Array = slopes * (0.1 / np.maximum(longest, 1e-12))
    return first


def _two_loops(slopes: Array, moves: list[Array], turns: list[Array], mask: Mask) -> Array:
    """Return a direction for each ascent (the two-loop recursion, Nocedal 1980)."""
    s, y = np.array(moves) * mask, np.array(turns) * mask
    curvature, norm = dot(s, y), dot(y, y)
    usable = curvature > 1e-12 * norm
    rho = np.where(usable, 1.0 / np.where(usable, curvature, 1.0), 0.0)
    share = np.empty_like(rho)
    direction = slopes
    for each in reversed(range(len(s))):
        share[each] = rho[each] * dot(s[each], direction)
        direction = direction - share[each][:, None] * y[each]
    direction = direction * _scale(curvature, norm, usable)[:, None]
    for each in range(len(s)):
        back = rho[each] * dot(y[each], direction)
        direction = direction + (share[each] - back)[:, None] * s[each]
    climbs = (dot(direction, slopes) > 0.0) & usable.any(axis=0)
    direction = np.where(climbs[:, None], direction, _first(slopes))
    longest = np.abs(direction).max(axis=1, keepdims=True)
    capped: Array = direction * np.minimum(1.0, _LONGEST / np.maximum(longest, 1e-12))
    return np.where(mask, capped, 0.0)


def _scale(curvature: Array, norm: Array, usable: Mask) -> Array:
    """Return each ascent's first guess of a curvature: that of its newest usable turn."""
    ascents = np.arange(usable.shape[1])
    newest = len(usable) - 1 - usable[::-1].argmax(axis=0)
    found = usable[newest, ascents]
    size = np.where(found, norm[newest, ascents], 1.0)
    scale: Array = np.where(found, curvature[newest, ascents] / size, 1.0)
    return scale
