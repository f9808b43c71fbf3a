"""Models of the space and of where it is best, and what they make one hope for.

The model around the best point sees the nearest trials alone, in a box that holds them, as if
that were the whole space: the box shrinks as trials gather, and moves with the best (a trust
region without a state of its own, in the sense of Eriksson et al. 2019).

Linear algebra is loaded with this module, a third of a second that the first, evenly spread
trials need not wait for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....api.space import Point
from .encoding import Columns, Encoding
from .fit import fit
from .kernel import Array, Places
from .maximize import Score, maximize
from .model import Hyperparameters, Model
from .result import Result
from .warping import Kumaraswamy, tamed

_GREATEST_FIT = 200
_GREATEST_MODEL = 500
_GREATEST_LOCAL = 120
_GOOD = 5
_MARGIN = 0.2
_EDGE = 1e-9
_GREATEST_FAILED = 64
_WARPED_FROM = 8
"""Trials for each parameter from which on the space is warped: fewer do not tell how."""
_FAILURE_LENGTH, _FAILURE_NOISE = 0.3, 0.1


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
class Hope:
    """Promising points, the best first, and the log of the improvement expected of that."""

    points: tuple[Point, ...]
    height: float


class Views:
    """What the trials that ended let one expect.

    `losses` are those of the trials that have some, in their order. `alone`: the objective has
    no other beside it, and the deviation of a trial is that of its loss.
    """

    def __init__(
        self, encoding: Encoding, results: Sequence[Result], losses: Array, *, alone: bool
    ) -> None:
        self._encoding = encoding
        self._results = results
        self._seen = [result for result in results if result.losses]
        self._losses = losses
        self._alone = alone
        self._views: dict[bool, _View] = {}  # by whether it is the local one

    def hope(
        self, pending: Sequence[Array], chance: np.random.Generator, *, is_local: bool
    ) -> Hope:
        """Return the most promising points of the space, or of the box around the best one.

        The rows of `pending` are believed to come to what the model expects of them.
        """
        if is_local not in self._views:
            self._views[is_local] = self._view(is_local=is_local)
        view = self._views[is_local]
        model = view.model
        if is_local and not np.ptp(model.losses):
            return Hope((), -math.inf)  # on a plateau no place promises more than another
        best = float(model.expected().min())
        for row in map(view.region.inside, pending):
            if view.region.holds(row):
                model = model.believing(row)
        best = min(best, float(model.losses[len(view.model.losses) :].min(initial=np.inf)))
        score = Score(model, best, view.failures)
        idle = np.clip(view.region.inside(self._encoding.idle), 0.0, 1.0)
        rows, height = maximize(score, self._encoding, view.good, idle, chance)
        points = tuple(self._encoding.point(view.region.outside(row)) for row in rows)
        return Hope(points, height + math.log(view.scale))

    def _view(self, *, is_local: bool) -> _View:
        encoding, losses = self._encoding, self._losses
        rows = np.array([result.row for result in self._seen])
        columns = encoding.columns
        region = _Region(np.zeros(encoding.width), np.ones(encoding.width))
        chosen = _spread_out(losses, _GREATEST_MODEL)
        if is_local or len(rows) < _WARPED_FROM * len(encoding.blocks):
            columns = Columns(columns.axis, np.zeros_like(columns.warped))
        if is_local:
            chosen = self._nearest(rows, losses)
            region = self._box(rows[chosen])
        rows, losses = region.inside(rows[chosen]), losses[chosen]
        noises = _noise_shares(
            [self._seen[place].deviation if self._alone else None for place in chosen]
        )
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
