"""Sobol's sequence: points that fill the space evenly, whatever was found."""

from functools import cached_property
from typing import TYPE_CHECKING

from ...api.history import Proposal
from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..history import PointFold
from ..seeds import derive
from ..settings import random_state

if TYPE_CHECKING:
    from ..sobol_sequence import SobolSequence


class Sobol(Algorithm):
    name = "sobol"
    description = "fills the space evenly with Sobol's sequence, scrambled by the seed"
    settings = (random_state(),)
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "scipy")
    learns = False

    def start(self, problem: Problem) -> Fold:
        return _SobolFold(problem)


class _SobolFold(PointFold):
    """Trial `index` is the point of that number."""

    def draw(self, index: int, retry: int) -> Proposal:
        if retry > 0:  # two points of the sequence may be one point of a small space
            return Proposal(self.random_point(index, retry))
        return Proposal(self.cube.point(self._sequence.point(index)))

    @cached_property
    def _sequence(self) -> "SobolSequence":
        from ..sobol_sequence import sobol_sequence

        return sobol_sequence(len(self.cube.axes), derive(self.seed))
