"""The search: every other point from a model of the whole space, the others from one around
the best point; the first ones evenly.

What the models are made of is the log's; fitted ones are kept until the next trial ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from ....api.history import Finished, Proposal, Suggestion, Verdict
from ....api.problem import Problem
from ....api.space import Point
from ...history import PointFold, losses_of
from ...seeds import derive
from ...sobol_sequence import SobolSequence, sobol_sequence
from .encoding import Encoding
from .kernel import Array
from .result import Result
from .scalar import drawn, scalars

if TYPE_CHECKING:
    from .views import Hope, Views

_GREATEST_PENDING = 64
"""Points that a model believes in; beyond them a batch is filled evenly."""
_TRUST = 6.0
"""How much less, in logarithms, the model around the best point may promise and be believed."""
_WEIGHTS = 0x77656967  # the path of the draws of weights


class GaussianProcessFold(PointFold):
    retries = 1

    def __init__(self, problem: Problem, *, initial: int) -> None:
        super().__init__(problem)
        self._initial = initial
        self._encoding = Encoding(self.cube)
        self._results: list[Result] = []
        self._views: Views | None = None

    def suggest(self, first_index: int, count: int) -> Suggestion:
        if self._given_out + count <= self._initial:
            return super().suggest(first_index, count)
        from . import views  # noqa: F401  # it loads the libraries that are limited

        # The matrices are small: threads that wait for one another cost more than they do,
        # fifty times as much where the machine has other work.
        with threadpool_limits(limits=1, user_api="blas"):
            return super().suggest(first_index, count)

    def observed(self, entry: Finished, point: Point) -> None:
        if entry.verdict is Verdict.NOTHING:
            return
        losses = losses_of(entry, self.problem.objective) or ()
        row = self._encoding.row(point)
        self._results.append(Result(entry.index, row, losses, entry.deviation))
        self._views = None

    def forgotten(self, index: int) -> None:
        self._results = [result for result in self._results if result.index != index]
        self._views = None

    def draw(self, index: int, retry: int) -> Proposal:
        seen = [result for result in self._results if result.losses]
        few = self._given_out < self._initial or len(seen) < 2
        if few or len(self.pending) > _GREATEST_PENDING:
            return Proposal(self._even_point(index))
        if not self._encoding.blocks:
            return Proposal(self.random_point(index, retry))
        for hope in sorted(self._hopes(seen, index), key=lambda each: -each.height):
            for point in hope.points:
                if self.cube.key(point) not in self.seen:
                    return Proposal(point)
        return Proposal(self._even_point(index))

    @property
    def _given_out(self) -> int:
        return len(self._results) + len(self.pending)

    def _hopes(self, seen: Sequence[Result], index: int) -> "Sequence[Hope]":
        """Return what the whole space promises, and for odd ones what the best point's parts do."""
        views = self._views_of(seen, index)
        pending = [self._encoding.row(point) for point in self.pending.values()]

        def hope(*, is_local: bool) -> "Hope":
            chance = np.random.default_rng(derive(self.seed, index))
            return views.hope(pending, chance, is_local=is_local)

        hopes = [hope(is_local=False)]
        if index % 2 == 1 and self._encoding.free.any():
            near = hope(is_local=True)
            hopes.append(replace(near, height=near.height + _TRUST))
        return hopes

    def _views_of(self, seen: Sequence[Result], index: int) -> "Views":
        from .views import Views

        alone = not self.problem.objective.further
        if self._views is None or not alone:  # of several objectives each point weighs its own
            losses = self._losses(seen, index)
            self._views = Views(self._encoding, self._results, losses, alone=alone)
        return self._views

    def _losses(self, seen: Sequence[Result], index: int) -> Array:
        """Return one loss for each trial: of several objectives that of this point's weights."""
        if not self.problem.objective.further:
            return np.array([result.losses[0] for result in seen], dtype=float)
        chance = np.random.default_rng(derive(self.seed, index, _WEIGHTS))
        weights = drawn(chance, 1 + len(self.problem.objective.further))
        return scalars([result.losses for result in seen], weights)

    def _even_point(self, index: int) -> Point:
        """Return the point of that number of Sobol's sequence, scrambled by the seed."""
        return self.cube.point(self._sequence.point(index))

    @cached_property
    def _sequence(self) -> SobolSequence:
        return sobol_sequence(len(self.cube.axes), derive(self.seed))
