"""Regularized evolution (Real et al. 2019, AAAI): the oldest dies, the best of some has a child."""

from ....api.problem import Problem
from ...algorithm import Fold
from ...seeds import generator
from ...settings import number, random_state, setting_values
from .fold import ArchitectureFold, ArchitectureSearch
from .genotype import Genotype

_SETTINGS = (
    number(
        "population_size",
        int,
        "20",
        "≥ 2",
        message="population_size must be 2 or more",
        description="the architectures in the population; the first ones are random",
    ),
    number(
        "sample_size",
        int,
        "5",
        "≥ 1",
        message="sample_size must be 1 or more",
        description="the number drawn, of which the best gets a child with one change",
    ),
    random_state(),
)


class Evolution(ArchitectureSearch):
    name = "nas-evolution"
    description = "regularized evolution of the architectures of nasConfig"
    settings = _SETTINGS
    is_quick = True

    def start(self, problem: Problem) -> Fold:
        values = setting_values(_SETTINGS, problem.settings)
        return _EvolutionFold(problem, int(values["population_size"]), int(values["sample_size"]))


class _EvolutionFold(ArchitectureFold):
    """The living are the last so many that came to something."""

    def __init__(self, problem: Problem, population: int, sample: int) -> None:
        super().__init__(problem)
        self._population = population
        self._sample = sample
        self._came: dict[int, tuple[float, Genotype]] = {}

    def observed(self, index: int, position: int, genotype: Genotype, loss: float) -> None:
        del position
        self._came[index] = (loss, genotype)

    def forgotten(self, index: int) -> None:
        self._came.pop(index, None)

    def draw(self, index: int, retry: int) -> Genotype:
        chance = generator(self.seed, index, retry)
        if len(self._came) < self._population:
            return self.genotypes.random(chance)
        living = list(self._came.values())[-self._population :]
        rivals = chance.sample(living, min(self._sample, len(living)))
        _, parent = min(rivals)
        return self.genotypes.mutated(parent, chance)
