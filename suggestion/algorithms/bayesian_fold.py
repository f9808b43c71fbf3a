"""Bayesian optimization by scikit-optimize, as a function of the history.

For each point a new optimizer is told the history and asked once, with a seed
of the point's own. Pending trials are told with the best value seen (the
constant liar that scikit-optimize uses in a batch), those that failed with the
worst.

gp_hedge chooses between acquisition functions by what they brought. Which of
them made a point stands in the point's labels, so that the gains are the log's:
how much better than the average the values of each one's points are.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from skopt import Optimizer
from skopt.learning import GradientBoostingQuantileRegressor
from skopt.space import Categorical, Real

from ...api.history import Finished, Proposal, Proposed, Verdict
from ...api.problem import Problem
from ...api.space import Point, Value
from ..history import GREATEST_LOSS, PointFold, loss_of
from ..seeds import derive, generator

LABEL = "acquisition"
DURATION = "wall_seconds"
_HEDGED = ("LCB", "EI", "PI")
_CHOICE = 0x6865646765  # the path of the draw among acquisition functions
_GREATEST_MODEL = 300
"""Trials that a Gaussian process is fitted to: its cost is their number cubed."""

Coordinates: TypeAlias = list[float | str]


class _BoostedTrees(GradientBoostingQuantileRegressor):  # type: ignore[misc]  # it ships no types
    """The boosted trees of scikit-optimize, made good for newer scikit-learn and numpy.

    The one asks a regressor by its tags, the other has lost a function that the
    spread was found with.
    """

    def __sklearn_tags__(self) -> Any:  # scikit-learn's protocol
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        return tags

    def predict(self, X: Any, return_std: bool = False, return_quantiles: bool = False) -> Any:  # noqa: FBT001, FBT002, N803  # scikit-optimize's signature
        if return_quantiles or not return_std:
            return super().predict(X, return_quantiles=return_quantiles)
        low, middle, high = (regressor.predict(X) for regressor in self.regressors_)
        return middle, (high - low) / 2.0


def _model(estimator: str, seed: int) -> object:
    """Return what scikit-optimize is told to model with."""
    if estimator != "GBRT":
        return estimator
    trees = GradientBoostingRegressor(n_estimators=30, loss="quantile")
    return _BoostedTrees(base_estimator=trees, random_state=seed)


@dataclass(frozen=True, slots=True)
class _Result:
    """A trial that ended; `loss` is None when it failed, `made_by` the acquisition function."""

    index: int
    at: Coordinates
    loss: float | None
    seconds: float
    made_by: str


class BayesianFold(PointFold):
    retries = 2

    def __init__(
        self, problem: Problem, *, estimator: str, initial: int, acquisition: str, optimizer: str
    ) -> None:
        super().__init__(problem)
        self._estimator = estimator
        self._initial = initial
        self._acquisition = acquisition
        # Left to scikit-optimize, one that weighs time would follow gradients that only GP has.
        self._optimizer = optimizer if estimator == "GP" else "sampling"
        self._axes = [axis for axis in self.cube.axes if axis.levels != 1]
        self._results: list[_Result] = []
        self._made_by: dict[int, str] = {}

    def proposed(self, entry: Proposed) -> None:
        self._made_by[entry.index] = dict(entry.proposal.labels).get(LABEL, "")

    def observed(self, entry: Finished, point: Point) -> None:
        made_by = self._made_by.pop(entry.index)
        if entry.verdict is Verdict.NOTHING:
            return
        loss = loss_of(entry, self.problem.objective)
        seconds = max(dict(entry.values).get(DURATION, 1.0), 1e-3)
        self._results.append(_Result(entry.index, self._at(point), loss, seconds, made_by))

    def forgotten(self, index: int) -> None:
        self._made_by.pop(index, None)
        self._results = [result for result in self._results if result.index != index]

    def draw(self, index: int, retry: int) -> Proposal:
        results = self._modelled()
        losses = _finite([result.loss for result in results])
        # Initial points count when they are given out, so that a batch of them stays one.
        given_out = len(self._results) + len(self.pending)
        if not losses or given_out < self._initial or not self._axes:
            return Proposal(self.random_point(index, retry))
        acquisition = self._chosen(index, results, losses)
        seconds = [result.seconds for result in results]
        pending = [self._at(point) for point in self.pending.values()]
        at = self._ask(
            [*(result.at for result in results), *pending],
            losses + [min(losses)] * len(pending),
            seconds + [float(np.median(seconds))] * len(pending),
            acquisition,
            derive(self.seed, index, retry),
        )
        return Proposal(self._point(at), labels=((LABEL, acquisition),))

    def _modelled(self) -> Sequence[_Result]:
        """Return the results to model: of a long history the best half and the latest."""
        if self._estimator != "GP" or len(self._results) <= _GREATEST_MODEL:
            return self._results
        latest = self._results[-_GREATEST_MODEL // 2 :]
        earlier = self._results[: -_GREATEST_MODEL // 2]
        best = sorted(earlier, key=lambda result: _order(result.loss))[: _GREATEST_MODEL // 2]
        return [*best, *latest]

    def _chosen(self, index: int, results: Sequence[_Result], losses: Sequence[float]) -> str:
        if self._acquisition != "gp_hedge":
            return self._acquisition
        gains = hedge_gains([result.made_by for result in results], losses)
        highest = max(gains.values())
        weights = [math.exp(gains[name] - highest) for name in _HEDGED]
        return generator(self.seed, index, _CHOICE).choices(_HEDGED, weights)[0]

    def _ask(
        self,
        places: list[Coordinates],
        losses: list[float],
        seconds: list[float],
        acquisition: str,
        seed: int,
    ) -> Coordinates:
        told = list(zip(losses, seconds, strict=True)) if acquisition.endswith("ps") else losses
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that do not converge: the next has more
            optimizer = Optimizer(
                [
                    Real(0.0, 1.0) if axis.is_ordered else Categorical(axis.choices)
                    for axis in self._axes
                ],
                base_estimator=_model(self._estimator, seed),
                n_initial_points=0,
                acq_func=acquisition,
                acq_optimizer=self._optimizer,
                random_state=seed,
            )
            optimizer.tell(places, told)
            at: Coordinates = optimizer.ask()
        return at

    def _at(self, point: Point) -> Coordinates:
        return [
            axis.unit(point[axis.parameter.name])
            if axis.is_ordered
            else str(point[axis.parameter.name])
            for axis in self._axes
        ]

    def _point(self, at: Coordinates) -> Point:
        found: dict[str, Value] = {
            axis.parameter.name: axis.value(float(place)) if axis.is_ordered else str(place)
            for axis, place in zip(self._axes, at, strict=True)
        }
        return {
            name: found[name] if name in found else axis.level(0)
            for name, axis in zip(self.cube.names, self.cube.axes, strict=True)
        }


def hedge_gains(made_by: Sequence[str], losses: Sequence[float]) -> Mapping[str, float]:
    """Return by how many deviations in sum each function's points are better than the average."""
    mean, deviation = float(np.mean(losses)), float(np.std(losses)) or 1.0
    gains = dict.fromkeys(_HEDGED, 0.0)
    for name, loss in zip(made_by, losses, strict=True):
        if name in gains:
            gains[name] -= (loss - mean) / deviation
    return gains


def _order(loss: float | None) -> float:
    return math.inf if loss is None else loss


def _finite(losses: Sequence[float | None]) -> list[float]:
    """Replace what no model can take: failures and infinities by the worst, or the best, seen.

    Returns an empty list when no loss is a number.
    """
    numbers = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if not numbers:
        return []
    best, worst = max(min(numbers), -GREATEST_LOSS), min(max(numbers), GREATEST_LOSS)
    return [min(max(_order(loss), best), worst) for loss in losses]
