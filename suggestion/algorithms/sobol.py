"""Sobol's sequence: points that fill the space evenly, whatever was found."""

from typing import TYPE_CHECKING

from ...api.history import Proposal
from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..history import PointFold
from ..seeds import derive
from ..settings import random_state

if TYPE_CHECKING:
    from scipy.stats.qmc import Sobol as Sequence


class Sobol(Algorithm):
    name = "sobol"
    description = "fills the space evenly with Sobol's sequence, scrambled by the seed (scipy)"
    settings = (random_state(),)
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "scipy")
    learns = False

    def start(self, problem: Problem) -> Fold:
        return _SobolFold(problem)


class _SobolFold(PointFold):
    """Trial `index` is the point of that number; the sequence stands where it was asked last."""

    _sequence: "Sequence | None" = None

    def draw(self, index: int, retry: int) -> Proposal:
        if retry > 0:  # two points of the sequence may be one point of a small space
            return Proposal(self.random_point(index, retry))
        sequence = self._sequence
        if sequence is None or sequence.num_generated > index:
            sequence = self._sequence = self._begin()
        if index > sequence.num_generated:
            sequence.fast_forward(index - sequence.num_generated)
        return Proposal(self.cube.point([float(unit) for unit in sequence.random(1)[0]]))

    def _begin(self) -> "Sequence":
        from numpy.random import default_rng
        from scipy.stats.qmc import Sobol as Sequence

        chance = default_rng(derive(self.seed))
        return Sequence(len(self.cube.axes), scramble=True, seed=chance)
