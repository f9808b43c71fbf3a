"""Chance that belongs to one point of one experiment.

A draw depends on the experiment's seed, the index of the point and nothing
else, so that a search that was restarted draws what it would have drawn.
"""

import random

_MASK = (1 << 64) - 1


def _mix(word: int) -> int:
    """Scramble 64 bits (the finalizer of splitmix64)."""
    word = (word + 0x9E3779B97F4A7C15) & _MASK
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)


def derive(seed: int, *path: int) -> int:
    """Return 32 bits that depend on the seed and the whole path."""
    word = _mix(seed & _MASK)
    for step in path:
        word = _mix(word ^ (step & _MASK))
    return word >> 32


def generator(seed: int, *path: int) -> random.Random:
    """Return a generator of its own for this path."""
    return random.Random(derive(seed, *path))
