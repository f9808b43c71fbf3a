"""Hyperband's fold with a model for the configurations: optuna's TPE."""

from dataclasses import replace

from ...api.history import Dropped, Finished, Proposal
from ...api.problem import Problem
from ...api.space import Point, Value
from ..history import is_observed
from ..seeds import generator
from .hyperband import HyperbandFold
from .rungs import Rung
from .tpe_fold import TpeFold

_RANDOM_SHARE = 1 / 3  # of configurations that are drawn at random, as the paper has it
_CHANCE_PATH = 0x626F6862
_RETRIES = 4


class BohbFold(HyperbandFold):
    """Draws from a model of all configurations, each by its value with the most resource.

    The paper has a model for each amount of the resource. But a rung above the first holds
    only promoted configurations, all of them good: a model of it would take the worse of
    these for bad, and avoid places that are among the best there are.
    """

    def __init__(self, problem: Problem, resource: str, brackets: list[list[Rung]]) -> None:
        super().__init__(problem, resource, brackets)
        enough = 2 * len(problem.space.parameters) + 2
        arguments = {"multivariate": True, "n_startup_trials": enough, "n_ei_candidates": 64}
        self._model = TpeFold(self.inner, arguments)
        self._told: dict[int, list[tuple[Finished, Point]]] = {}

    def configuration(self, index: int, resource: Value) -> Proposal | None:
        sampler = self.sampler(resource)
        chance = generator(self._model.seed, index, _CHANCE_PATH).random()
        if self._model.is_ready and chance > _RANDOM_SHARE:
            for retry in range(_RETRIES):
                drawn = self._model.draw(index, retry)
                if sampler.cube.key(drawn.point) not in sampler.seen:
                    return drawn
        return sampler.unseen(index)

    def enter(self, rung: Rung, index: int, point: Point, parent: int | None) -> None:
        super().enter(rung, index, point, parent)
        if parent is None:
            self._model.add(index, point)

    def leave(self, index: int) -> None:
        first = self._first(index)
        super().leave(index)
        if first == index:
            self._told.pop(first, None)
            self._model.observe(Dropped(self._model.position, first))
            return
        told = self._told.get(first, [])
        left = [(entry, point) for entry, point in told if entry.index != index]
        if len(left) < len(told):
            self._told[first] = left
            self._model.forgotten(first)
            if left:  # what it came to with less of the resource counts again
                self._teach(first, *left[-1])

    def finish(self, entry: Finished) -> None:
        super().finish(entry)
        first = self._first(entry.index)
        if first == entry.index:
            point = self._model.pending.get(first)
            self._model.observe(entry)
        elif is_observed(entry):
            point = self.rung_of[entry.index].trials[entry.index]
            self._model.forgotten(first)
            self._teach(first, entry, point)
        else:
            return
        if point is not None:
            self._told.setdefault(first, []).append((entry, point))

    def _first(self, index: int) -> int:
        """Return the trial that a configuration began with."""
        while index in self.parents:
            index = self.parents[index]
        return index

    def _teach(self, first: int, entry: Finished, point: Point) -> None:
        self._model.observed(replace(entry, index=first), point)
