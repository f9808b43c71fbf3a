"""Sobol's sequence, scrambled: the same points as scipy's.

`scipy.stats` takes half a second to load, for which the first trial of a search would wait. The
direction numbers are those of Joe and Kuo (2008, SIAM J. Sci. Comput. 30), the scramble is
Matoušek's (1998, J. Complexity 14): a random linear map of the digits of each coordinate, and a
random shift.
"""

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_BITS = 30
_NUMBERS = """
3:1 7:1,3 11:1,3,1 13:1,1,1 19:1,1,3,3 25:1,3,5,13 37:1,1,5,5,17 41:1,1,5,5,5 47:1,1,7,11,19
55:1,1,5,1,1 59:1,1,1,3,11 61:1,3,5,5,31 67:1,3,3,9,7,49 91:1,1,1,15,21,21 97:1,3,1,13,27,49
103:1,1,1,15,7,5 109:1,3,1,15,13,25 115:1,1,5,5,19,61 131:1,3,7,11,23,15,103
137:1,3,7,13,13,15,69 143:1,1,3,13,7,35,63 145:1,3,5,9,1,25,53 157:1,3,1,13,9,35,107
167:1,3,1,5,27,61,31 171:1,1,5,11,19,41,61 185:1,3,5,3,3,13,69 191:1,1,7,13,1,19,1
193:1,3,7,5,13,19,59 203:1,1,3,9,25,29,41 211:1,3,5,13,23,1,55 213:1,3,7,3,13,59,17
229:1,3,1,3,5,53,69 239:1,1,5,5,23,33,13 241:1,1,7,7,1,61,123 247:1,1,7,9,13,61,49
253:1,3,3,5,3,55,33 285:1,3,1,15,31,13,49,245 299:1,3,5,15,31,59,63,97 301:1,3,1,11,11,11,77,249
333:1,3,1,11,27,43,71,9 351:1,1,7,15,21,11,81,45 355:1,3,7,3,25,31,65,79 357:1,3,1,1,19,11,3,205
361:1,1,5,9,19,21,29,157 369:1,3,7,11,1,33,89,185 391:1,3,3,3,15,9,79,71
397:1,3,7,11,15,39,119,27 425:1,1,3,1,11,31,97,225 451:1,1,1,3,23,43,57,177
463:1,3,7,7,17,17,37,71 487:1,3,1,5,27,63,123,213 501:1,1,3,5,11,43,53,133
529:1,3,5,5,29,17,47,173,479 539:1,3,3,11,3,1,109,9,69 545:1,1,1,5,17,39,23,5,343
557:1,3,1,5,25,15,31,103,499 563:1,1,1,11,11,17,63,105,183 601:1,1,5,11,9,29,97,231,363
607:1,1,5,15,19,45,41,7,383 617:1,3,7,7,31,19,83,137,221 623:1,1,1,3,23,15,111,223,83
631:1,1,5,13,31,15,55,25,161 637:1,1,3,13,25,47,39,87,257
"""
"""For each dimension after the first the coefficients of its polynomial as one number, and the
first of its direction numbers, as many as the polynomial's degree."""

Words = NDArray[np.uint32]


class SobolSequence(Protocol):
    def point(self, index: int) -> list[float]:
        """Return the point of a number, counted from 0: a number in [0, 1) for each dimension."""
        ...


def sobol_sequence(dimensions: int, seed: int) -> SobolSequence:
    """Return the sequence of so many dimensions, scrambled by the seed."""
    own = dimensions <= len(_table())
    return _Scrambled(dimensions, seed) if own else _Wide(dimensions, seed)


class _Scrambled:
    def __init__(self, dimensions: int, seed: int) -> None:
        chance = np.random.default_rng(seed).spawn(1)[0]  # as scipy has one of its own
        weights = 1 << np.arange(_BITS, dtype=np.uint32)
        self._shift: Words = chance.integers(2, size=(dimensions, _BITS), dtype=np.uint32) @ weights
        maps = chance.integers(2, size=(dimensions, _BITS, _BITS), dtype=np.uint32)
        maps = np.tril(maps, -1) + np.eye(_BITS, dtype=np.uint32)
        # The first digit of a coordinate is the first row of its map, and its highest bit.
        digits = (_table()[:dimensions, :, None] >> np.arange(_BITS, dtype=np.uint32)[::-1]) & 1
        self._directions: Words = ((digits @ maps.transpose(0, 2, 1)) & 1) @ weights[::-1]

    def point(self, index: int) -> list[float]:
        word = self._shift
        changed = index ^ (index >> 1)  # Gray's code: one bit differs from one number to the next
        for bit in range(changed.bit_length()):
            if changed >> bit & 1:
                word = word ^ self._directions[:, bit % _BITS]
        return [float(each) for each in word * 2.0**-_BITS]


class _Wide:
    """Dimensions beyond our numbers, by scipy."""

    def __init__(self, dimensions: int, seed: int) -> None:
        from scipy.stats.qmc import Sobol

        self._sequence = Sobol(dimensions, seed=np.random.default_rng(seed))

    def point(self, index: int) -> list[float]:
        behind = index - self._sequence.num_generated
        if behind < 0:
            self._sequence.reset()
            behind = index
        if behind > 0:
            self._sequence.fast_forward(behind)
        return [float(each) for each in self._sequence.random(1)[0]]


@cache
def _table() -> Words:
    """Return the direction numbers as binary fractions, shape (dimensions, bits)."""
    rows = [[1] * _BITS]
    for polynomial, _, first in (word.partition(":") for word in _NUMBERS.split()):
        rows.append(_recurred(int(polynomial), [int(each) for each in first.split(",")]))
    return np.array(rows, dtype=np.uint32) << np.arange(_BITS, dtype=np.uint32)[::-1]


def _recurred(polynomial: int, numbers: list[int]) -> list[int]:
    """Carry direction numbers on by the recurrence of their primitive polynomial."""
    degree = len(numbers)
    while len(numbers) < _BITS:
        last = numbers[-degree] ^ (numbers[-degree] << degree)
        for back in range(1, degree):
            if polynomial >> (degree - back) & 1:
                last ^= numbers[-back] << back
        numbers.append(last)
    return numbers
