"""Random search: every point from the parameters' distributions, whatever was found."""

from ...api.history import Proposal
from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..history import PointFold
from ..settings import random_state


class Random(Algorithm):
    name = "random"
    description = "draws every point from the parameters' distributions"
    settings = (random_state(),)
    capabilities = Capabilities(conditions=True, objectives=True)
    is_quick = True
    learns = False

    def start(self, problem: Problem) -> Fold:
        return RandomFold(problem)


class RandomFold(PointFold):
    def draw(self, index: int, retry: int) -> Proposal:
        return Proposal(self.random_point(index, retry))
