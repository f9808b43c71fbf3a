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

_CHANCE = 1 / 3  # the share of configurations that are drawn at random, as the paper has it
_CHANCE_PATH = 0x626F6862
_RETRIES = 4


class BohbFold(HyperbandFold):
    """Draws from a model of all configurations, each by its value with the most resource.

    The paper has a model for each amount of the resource. What was promoted is no
    fair sample there: among the best of a rung the model would flee from the best.
    """

    def __init__(self, problem: Problem, resource: str, brackets: list[list[Rung]]) -> None:
        super().__init__(problem, resource, brackets)
        enough = 2 * len(problem.space.parameters) + 2
        arguments = {"multivariate": True, "n_startup_trials": enough, "n_ei_candidates": 64}
        self._model = TpeFold(self.inner, arguments)

    def configuration(self, index: int, resource: Value) -> Proposal | None:
        drawn_before = self.at(resource)
        if self._model.is_ready and generator(self._model.seed, index, _CHANCE_PATH).random() > (
            _CHANCE
        ):
            for retry in range(_RETRIES):
                drawn = self._model.draw(index, retry)
                if drawn_before.cube.key(drawn.point) not in drawn_before.seen:
                    return drawn
        return drawn_before.unseen(index)

    def enter(self, rung: Rung, index: int, point: Point, parent: int | None) -> None:
        super().enter(rung, index, point, parent)
        if parent is None:
            self._model.add(index, point)

    def leave(self, index: int) -> None:
        super().leave(index)
        self._model.observe(Dropped(self._model.position, index))

    def finish(self, entry: Finished) -> None:
        super().finish(entry)
        first = entry.index
        while first in self.parents:
            first = self.parents[first]
        if first == entry.index:
            self._model.observe(entry)
        elif is_observed(entry):
            self._model.forgotten(first)
            point = self.rung_of[entry.index].trials[entry.index]
            self._model.observed(replace(entry, index=first), point)
