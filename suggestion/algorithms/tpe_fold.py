"""The tree-structured Parzen estimator, by optuna.

The fold keeps the trials as optuna wants to see them and lends them to a
sampler that is made for each point, seeded by its index: nothing of the search
lives in the sampler. Pending trials count as bad neighbours (constant liar), so
that a batch is diverse; those that failed count as worse than any value. Of several
objectives the good trials are those of the first fronts (Ozaki et al. 2020, GECCO).
A conditional parameter is learned from the trials that have it.
"""

import math
import warnings
from collections.abc import Container, Mapping
from typing import Any

import optuna.logging
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ...api.history import Finished, Proposal, Proposed, Verdict
from ...api.pareto import Losses
from ...api.problem import Problem
from ...api.space import Distribution, ParameterKind, Point, Value
from ..cube import Axis
from ..history import PointFold, losses_of
from ..seeds import derive

_GREATEST_LEVELS = 1 << 40
"""Where there are far more whole numbers optuna's densities of single ones vanish."""
_GREATEST = 1e50
"""Infinity, where several objectives are multiplied into a volume."""

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what people read is ours to say


class Code:
    """One parameter as optuna knows it.

    Ranges and logarithms are optuna's own. Levels are whole numbers, so that a
    step is exact; what optuna lacks (normal distributions, steps of a
    logarithm, more levels than it can tell apart) is searched by its quantile.
    """

    def __init__(self, axis: Axis) -> None:
        self._axis = axis
        parameter = axis.parameter
        low, high = float(parameter.low), float(parameter.high)
        is_log = parameter.distribution is Distribution.LOG_UNIFORM
        levels = 0 if axis.levels is None else axis.levels
        is_uniform = not parameter.is_numeric or parameter.distribution is Distribution.UNIFORM
        is_whole = parameter.kind is ParameterKind.INT and parameter.step in {None, 1}
        self.distribution: BaseDistribution
        self._form = "value"
        if not axis.is_ordered:
            self._form = "entry"
            self.distribution = CategoricalDistribution(axis.choices)
        elif levels == 0 and (is_log or is_uniform):
            self.distribution = FloatDistribution(low, high, log=is_log)
        elif 0 < levels <= _GREATEST_LEVELS and is_uniform:
            self._form = "level"
            self.distribution = IntDistribution(0, levels - 1)
        elif is_log and is_whole and high <= _GREATEST_LEVELS:
            self.distribution = IntDistribution(int(low), int(high), log=True)
        else:
            self._form = "unit"
            self.distribution = FloatDistribution(0.0, 1.0)

    def encode(self, value: Value) -> Value:
        match self._form:
            case "level":
                return self._axis.level_of(value)
            case "unit":
                return self._axis.unit(value)
            case _:
                return value

    def decode(self, drawn: Any) -> Value:
        match self._form:
            case "level":
                return self._axis.level(int(drawn))
            case "unit":
                return self._axis.value(float(drawn))
            case "entry":
                return str(drawn)
            case _:
                return self._axis.parameter.nearest(drawn)  # a logarithm and back may be beyond


class _Trials(InMemoryStorage):
    """A storage that holds one study's trials as lists, shared and never copied."""

    def __init__(self, objectives: int) -> None:
        super().__init__()
        self.create_new_study([StudyDirection.MINIMIZE] * objectives, "search")
        self.complete: list[FrozenTrial] = []
        self.running: list[FrozenTrial] = []

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,  # noqa: FBT001, FBT002  # optuna's signature
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        del study_id, deepcopy
        if states is None or TrialState.RUNNING in states:
            return self.complete + self.running
        return self.complete

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Forget it: what is pending is told by the fold."""


class TpeFold(PointFold):
    retries = 3

    def __init__(self, problem: Problem, arguments: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self._arguments = arguments
        self._startup = max(1, int(arguments["n_startup_trials"]))
        self._codes = {
            axis.parameter.name: Code(axis) for axis in self.cube.axes if axis.levels != 1
        }
        self._groups = self._together() if arguments["multivariate"] else [list(self._codes)]
        self._single = {
            axis.parameter.name: axis.level(0) for axis in self.cube.axes if axis.levels == 1
        }
        self._objectives = 1 + len(problem.objective.further)
        self._storage = _Trials(self._objectives)
        self._running: dict[int, FrozenTrial] = {}

    def proposed(self, entry: Proposed) -> None:
        point = entry.proposal.point
        self._running[entry.index] = self._trial(entry.index, point, None)

    def observed(self, entry: Finished, point: Point) -> None:
        self._running.pop(entry.index, None)
        if entry.verdict is Verdict.NOTHING:
            return
        losses = losses_of(entry, self.problem.objective) or (math.inf,) * self._objectives
        if self._objectives > 1:
            losses = tuple(min(max(loss, -_GREATEST), _GREATEST) for loss in losses)
        self._storage.complete.append(self._trial(entry.index, point, losses))

    def forgotten(self, index: int) -> None:
        self._running.pop(index, None)
        self._storage.complete = [t for t in self._storage.complete if t.number != index]

    @property
    def is_ready(self) -> bool:
        """Whether enough has ended for a model."""
        return len(self._storage.complete) >= self._startup

    def draw(self, index: int, retry: int) -> Proposal:
        if not self.is_ready or not self._codes:
            return Proposal(self.random_point(index, retry))
        self._storage.running = [
            self._running.get(number) or self._trial(number, point, None)
            for number, point in self.pending.items()
        ]
        drawn = self._ask(index, derive(self.seed, index, retry))
        point = {
            name: self._codes[name].decode(drawn[name]) if name in drawn else self._single[name]
            for name in self.cube.names
        }
        return Proposal(self.cube.space.actual(point))

    def _together(self) -> list[list[str]]:
        """Group the parameters that are always active together: only those have a joint model."""
        condition = {each.parameter: each for each in self.problem.space.conditions}
        groups: dict[object, list[str]] = {}
        for name in self._codes:
            own = condition.get(name)
            groups.setdefault(own and (own.when, frozenset(own.values)), []).append(name)
        return list(groups.values())

    def _ask(self, index: int, seed: int) -> Mapping[str, Any]:
        with warnings.catch_warnings():
            # Settings that Katib has and optuna is about to lose, and experimental marks.
            warnings.simplefilter("ignore")
            sampler = TPESampler(seed=seed, constant_liar=True, **self._arguments)
        study = Study("search", self._storage, sampler=sampler)
        trial = self._trial(index, {}, None)
        drawn: dict[str, Any] = {}
        for names in self._groups:
            space = {name: self._codes[name].distribution for name in names}
            if self._arguments["multivariate"]:
                drawn |= sampler.sample_relative(study, trial, space)
                continue
            for name, distribution in space.items():
                drawn[name] = sampler.sample_independent(study, trial, name, distribution)
        return drawn

    def _trial(self, index: int, point: Point, losses: Losses | None) -> FrozenTrial:
        codes = {name: code for name, code in self._codes.items() if name in point}
        return FrozenTrial(
            number=index,
            trial_id=index,
            state=TrialState.RUNNING if losses is None else TrialState.COMPLETE,
            value=None,
            values=losses,
            datetime_start=None,
            datetime_complete=None,
            params={name: code.encode(point[name]) for name, code in codes.items()},
            distributions={name: code.distribution for name, code in codes.items()},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
