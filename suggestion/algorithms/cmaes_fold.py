"""CMA-ES as a fold: generations are filled by the log.

A trial that ends is told to the generation that is open then, if its point was
made from this generation or the one before (with trials in parallel, some of a
generation always end in the next); older ones would pull the mean back. Points
are drawn from the present distribution with a generator of their own, so that
pending ones differ without being told.
"""

import math
from dataclasses import dataclass

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from ...api.history import Finished, Proposal, Proposed, Verdict
from ...api.problem import Problem
from ...api.space import Point
from ..history import GREATEST_LOSS, PointFold, loss_of
from ..seeds import derive, generator

_RESTARTS = 1  # the path of draws for restarts, beside those for points

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Told:
    """A trial that ended; `loss` is None when it failed."""

    index: int
    position: int
    made_from: int
    vector: Vector
    loss: float | None


class CmaEsFold(PointFold):
    def __init__(self, problem: Problem, *, strategy: str, sigma: float) -> None:
        super().__init__(problem)
        self._names = [
            axis.parameter.name for axis in self.cube.axes if axis.is_ordered and axis.levels != 1
        ]
        self._axes = {axis.parameter.name: axis for axis in self.cube.axes}
        self._strategy = strategy
        self._sigma = sigma
        self._made_from: dict[int, int] = {}
        self._told: list[_Told] = []
        self._restart_all()

    def draw(self, index: int, retry: int) -> Proposal:
        point = dict(self.random_point(index, retry))
        if len(self._names) > 1:
            self._cma.reseed_rng(derive(self.seed, index, retry))
            for name, unit in zip(self._names, self._cma.ask(), strict=True):
                point[name] = self._axes[name].value(float(unit))
        return Proposal(point)

    def proposed(self, entry: Proposed) -> None:
        self._made_from[entry.index] = entry.made_from

    def observed(self, entry: Finished, point: Point) -> None:
        made_from = self._made_from.pop(entry.index)
        if entry.verdict is Verdict.NOTHING or len(self._names) < 2:
            return
        loss = loss_of(entry, self.problem.objective)
        if loss is not None:
            loss = min(max(loss, -GREATEST_LOSS), GREATEST_LOSS)
        vector = np.array([self._axes[name].unit(point[name]) for name in self._names])
        told = _Told(entry.index, entry.position, made_from, vector, loss)
        self._told.append(told)
        self._tell(told)

    def forgotten(self, index: int) -> None:
        self._made_from.pop(index, None)
        left = [told for told in self._told if told.index != index]
        if len(left) < len(self._told):  # what it taught cannot be taken back: learn again
            self._told = left
            self._restart_all()
            for told in left:
                self._tell(told)

    def _restart_all(self) -> None:
        dimensions = max(2, len(self._names))
        self._least = 4 + math.floor(3 * math.log(dimensions))
        self._large = self._least  # the population of the latest large search
        self._restarts = 0
        self._spent = {"large": 0, "small": 0}  # trials of the searches of each size
        self._size = "large"
        self._cma = self._search(np.full(dimensions, 0.5), self._sigma, self._least)

    def _search(self, mean: Vector, sigma: float, population: int) -> CMA:
        self._generation: list[_Told] = []
        self._opened = (0, 0)  # where the generation before, and this one, began
        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        return CMA(mean=mean, sigma=sigma, bounds=bounds, population_size=population, seed=0)

    def _tell(self, told: _Told) -> None:
        if told.made_from < self._opened[0]:
            return
        self._generation.append(told)
        if len(self._generation) < self._cma.population_size:
            return
        known = [one.loss for one in self._generation if one.loss is not None]
        worst = max(known, default=0.0) + 1.0
        solutions = [
            (one.vector, worst if one.loss is None else one.loss) for one in self._generation
        ]
        self._cma.tell(solutions)
        self._spent[self._size] += len(solutions)
        self._generation = []
        self._opened = (self._opened[1], told.position)
        if self._cma.should_stop():
            self._restart(told.position)

    def _restart(self, position: int) -> None:
        self._restarts += 1
        chance = generator(derive(self.seed), _RESTARTS, self._restarts)
        mean = np.array([chance.random() for _name in self._names])
        sigma, population = self._sigma, self._least
        if self._strategy == "bipop" and self._spent["small"] < self._spent["large"]:
            self._size = "small"
            ratio = 0.5 * self._large / self._least
            population = max(self._least, math.floor(self._least * ratio ** (chance.random() ** 2)))
            sigma = self._sigma * 10 ** (-2 * chance.random())
        elif self._strategy in {"ipop", "bipop"}:
            self._size = "large"
            self._large *= 2
            population = self._large
        self._cma = self._search(mean, sigma, population)
        self._opened = (position, position)
