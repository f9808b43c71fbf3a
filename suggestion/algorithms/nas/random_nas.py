"""Random architectures: what every other search has to beat."""

from ....api.problem import Problem
from ...algorithm import Fold
from ...seeds import generator
from ...settings import random_state
from .fold import ArchitectureFold, ArchitectureSearch
from .genotype import Genotype


class RandomNas(ArchitectureSearch):
    name = "nas-random"
    description = "draws architectures of nasConfig at random"
    settings = (random_state(),)
    is_quick = True
    learns = False

    def start(self, problem: Problem) -> Fold:
        return _RandomFold(problem)


class _RandomFold(ArchitectureFold):
    def draw(self, index: int, retry: int) -> Genotype:
        return self.genotypes.random(generator(self.seed, index, retry))
