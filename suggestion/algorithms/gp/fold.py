"""The search: every other point from a model of the whole space, the others from one around
the best point.

The model around the best point sees the nearest trials alone, in a box that holds them, as if
that were the whole space: the box shrinks as trials gather, and moves with the best (a trust
region without a state of its own, in the sense of Eriksson et al. 2019). What the models are
made of is the log's; a fitted model is kept until the next trial ends.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ....api.history import Finished, Proposal, Suggestion, Verdict
from ....api.pareto import Losses
from ....api.problem import Problem
from ....api.space import Point
from ...history import PointFold
from ...seeds import derive
from .encoding import Encoding
from .fit import Columns, fit
from .kernel import Array, Places
from .maximize import Score, maximize
from .model import Hyperparameters, Model
from .scalar import drawn, scalars
from .warping import Kumaraswamy, tamed

_GREATEST_FIT = 200
_GREATEST_MODEL = 500
_GREATEST_LOCAL = 120
_GREATEST_PENDING = 64
"""Points that a model believes in; beyond them a batch is filled evenly."""
_GOOD = 5
_MARGIN = 0.2
_EDGE = 1e-9
_GREATEST_FAILED = 64
_TRUST = 6.0
"""How much less, in logarithms, the model around the best point may promise and be believed."""
_WARPED_FROM = 8
"""Trials for each parameter from which on the space is warped: fewer do not tell how."""
_WEIGHTS = 0x77656967  # the path of the draws of weights
_FAILURE_LENGTH, _FAILURE_NOISE = 0.3, 0.1


@dataclass(frozen=True, slots=True)
class _Result:
    """A trial that ended; `losses` are () when it failed, or an objective has no number."""

    index: int
    row: Array
    losses: Losses
    deviation: float | None


@dataclass(frozen=True, slots=True)
class _Region:
    """A box of the cube, in whose coordinates a model sees rows; levels keep their own."""

    low: Array
    width: Array

    def inside(self, rows: Array) -> Array:
        found: Array = (rows - self.low) / self.width
        return found

    def holds(self, row: Array) -> bool:
        """Say whether a row in its coordinates lies in it."""
        return bool(((row >= -_EDGE) & (row <= 1.0 + _EDGE)).all())

    def outside(self, row: Array) -> Array:
        found: Array = self.low + row * self.width
        return found


@dataclass(frozen=True, slots=True)
class _View:
    """A model of a region, what it looks near to, and where trials fail."""

    region: _Region
    model: Model
    scale: float
    good: Array
    failures: Model | None


@dataclass(frozen=True, slots=True)
class _Hope:
    """Promising points, the best first, and the log of the improvement expected of that."""

    points: tuple[Point, ...]
    height: float


class GaussianProcessFold(PointFold):
    retries = 1

    def __init__(self, problem: Problem, *, initial: int) -> None:
        super().__init__(problem)
        self._initial = initial
        self._encoding = Encoding(self.cube)
        self._results: list[_Result] = []
        self._views: dict[bool, _View] = {}  # by whether it is the local one

    def suggest(self, first_index: int, count: int) -> Suggestion:
        # The matrices are small: threads that wait for one another cost more than they do,
        # fifty times as much where the machine has other work.
        with threadpool_limits(limits=1, user_api="blas"):
            return super().suggest(first_index, count)

    def observed(self, entry: Finished, point: Point) -> None:
        if entry.verdict is Verdict.NOTHING:
            return
        losses = None
        if entry.verdict is Verdict.OBSERVED:
            losses = self.problem.objective.losses(entry.value, dict(entry.values))
        row = self._encoding.row(point)
        self._results.append(_Result(entry.index, row, losses or (), entry.deviation))
        self._views = {}

    def forgotten(self, index: int) -> None:
        self._results = [result for result in self._results if result.index != index]
        self._views = {}

    def draw(self, index: int, retry: int) -> Proposal:
        given_out = len(self._results) + len(self.pending)
        seen = [result for result in self._results if result.losses]
        if given_out < self._initial or len(seen) < 2 or len(self.pending) > _GREATEST_PENDING:
            return Proposal(self._even_point(index))
        if not self._encoding.blocks:
            return Proposal(self.random_point(index, retry))
        losses = self._losses(seen, index)
        hopes = [self._promising(self._kept_view(seen, losses, is_local=False), index)]
        if index % 2 == 1 and self._encoding.free.any():
            near = self._promising(self._kept_view(seen, losses, is_local=True), index)
            hopes.append(replace(near, height=near.height + _TRUST))
        for hope in sorted(hopes, key=lambda each: -each.height):
            for point in hope.points:
                if self.cube.key(point) not in self.seen:
                    return Proposal(point)
        return Proposal(self._even_point(index))

    def _losses(self, seen: Sequence[_Result], index: int) -> Array:
        """Return one loss for each trial: of several objectives that of this point's weights."""
        if not self.problem.objective.further:
            return np.array([result.losses[0] for result in seen], dtype=float)
        self._views = {}  # they are of other weights
        chance = np.random.default_rng(derive(self.seed, index, _WEIGHTS))
        weights = drawn(chance, 1 + len(self.problem.objective.further))
        return scalars([result.losses for result in seen], weights)

    def _kept_view(self, seen: Sequence[_Result], losses: Array, *, is_local: bool) -> _View:
        if is_local not in self._views:
            self._views[is_local] = self._view(seen, losses, is_local=is_local)
        return self._views[is_local]

    def _promising(self, view: _View, index: int) -> _Hope:
        """Return the most promising points of a region."""
        model = view.model
        best = float(model.expected().min())
        for point in self.pending.values():
            row = view.region.inside(self._encoding.row(point))
            if view.region.holds(row):
                model = model.believing(row)
        best = min(best, float(model.losses[len(view.model.losses) :].min(initial=np.inf)))
        chance = np.random.default_rng(derive(self.seed, index))
        score = Score(model, best, view.failures)
        idle = np.clip(view.region.inside(self._encoding.idle), 0.0, 1.0)
        rows, height = maximize(score, self._encoding, view.good, idle, chance)
        points = tuple(self._encoding.point(view.region.outside(row)) for row in rows)
        return _Hope(points, height + math.log(view.scale))

    def _even_point(self, index: int) -> Point:
        """Return the point of that number of Sobol's sequence, scrambled by the seed."""
        from scipy.stats.qmc import Sobol

        sequence = Sobol(len(self.cube.axes), seed=np.random.default_rng(derive(self.seed)))
        if index > 0:
            sequence.fast_forward(index)
        return self.cube.point([float(unit) for unit in sequence.random(1)[0]])

    def _view(self, seen: Sequence[_Result], losses: Array, *, is_local: bool) -> _View:
        encoding = self._encoding
        rows = np.array([result.row for result in seen])
        columns = encoding.columns
        region = _Region(np.zeros(encoding.width), np.ones(encoding.width))
        chosen = _spread_out(losses, _GREATEST_MODEL)
        if is_local or len(rows) < _WARPED_FROM * len(encoding.blocks):
            columns = Columns(columns.axis, np.zeros_like(columns.warped))
        if is_local:
            chosen = self._nearest(rows, losses)
            region = self._box(rows[chosen])
        rows, losses = region.inside(rows[chosen]), losses[chosen]
        alone = not self.problem.objective.further  # the deviation is that of the first objective
        noises = _noise_shares([seen[place].deviation if alone else None for place in chosen])
        warped, scale = tamed(losses)
        some = _spread_out(losses, _GREATEST_FIT)
        hyper = fit(columns, rows[some], warped[some], noises[some])
        good = rows[np.argsort(losses, kind="stable")[:_GOOD]]
        model = Model.of(hyper, rows, warped, noises)
        failures = self._failures(region)
        if failures is not None:
            model = self._disappointed(region, model, failures)
        return _View(region, model, scale, good, failures)

    def _disappointed(self, region: _Region, model: Model, failures: Model) -> Model:
        """Return the model after the trials that failed in a region.

        They told no loss: none better than the best is believed to be had there, and one as
        much worse (in deviations) as failure is likely there. So what fails by chance does
        little harm, and where all fails nothing is hoped for.
        """
        best = float(model.expected().min())
        failed = [each.row for each in self._results if not each.losses][-_GREATEST_FAILED:]
        for row in map(region.inside, failed):
            if region.holds(row):
                chance = float(np.clip(failures.posterior(row[None])[0][0], 0.0, 1.0))
                model = model.believing(row, best + chance)
        return model

    def _nearest(self, rows: Array, losses: Array) -> Places:
        """Return the places of the trials that are nearest to the best one."""
        best = int(losses.argmin())
        count = min(len(rows), max(10, 6 * len(self._encoding.blocks)), _GREATEST_LOCAL)
        away = ((rows - rows[best]) ** 2).sum(axis=1)
        found: Places = np.sort(np.argsort(away, kind="stable")[:count])
        return found

    def _box(self, rows: Array) -> _Region:
        low, high = rows.min(axis=0), rows.max(axis=0)
        margin = _MARGIN * (high - low) + 1e-9
        low, high = np.maximum(low - margin, 0.0), np.minimum(high + margin, 1.0)
        free = self._encoding.free
        return _Region(np.where(free, low, 0.0), np.where(free, high - low, 1.0))

    def _failures(self, region: _Region) -> Model | None:
        """Return a process of whether trials fail, None when none did."""
        if all(result.losses for result in self._results):
            return None
        results = self._results[-_GREATEST_MODEL:]
        failed = np.array([float(not result.losses) for result in results])
        rows = np.array([result.row for result in results])
        lengths = _FAILURE_LENGTH * np.sqrt(len(self._encoding.blocks))
        ones = np.ones(self._encoding.width)
        hyper = Hyperparameters(ones / lengths**2, Kumaraswamy(ones, ones), _FAILURE_NOISE)
        model = Model.of(hyper, rows, failed, np.ones(len(failed)))
        return replace(
            model,
            rows=region.inside(rows),
            hyper=replace(hyper, weights=hyper.weights * region.width**2),
        )


def _spread_out(losses: Array, greatest: int) -> Places:
    """Return at most so many places: the best half, and the others evenly over their order."""
    if len(losses) <= greatest:
        return np.arange(len(losses))
    ranked = np.argsort(losses, kind="stable")
    best, rest = ranked[: greatest // 2], np.sort(ranked[greatest // 2 :])
    others = rest[np.linspace(0, len(rest) - 1, greatest - greatest // 2).astype(int)]
    found: Places = np.sort(np.concatenate([best, others]))
    return found


def _noise_shares(deviations: Sequence[float | None]) -> Array:
    """Return each trial's variance over the usual one, 1 where it was seen once."""
    known = np.array([np.nan if each is None else each for each in deviations], dtype=float) ** 2
    usable = np.isfinite(known) & (known > 0)
    if not usable.any():
        return np.ones(len(known))
    shares: Array = np.where(usable, known / np.median(known[usable]), 1.0)
    return np.clip(shares, 0.1, 10.0)
