"""Those who search: our algorithms, and the libraries called directly as their manuals say.

A library that cannot search a space, or is not installed, is left out.
"""

import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

from tunewright.api.history import Entry, Finished, Proposed, Verdict
from tunewright.api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace, Value
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.plugin.probe import problem_of


class Searcher(Protocol):
    def ask(self, count: int) -> Sequence[Point]:
        """Return at most so many points; none when there are no more."""
        ...

    def tell(self, losses: Sequence[float | None]) -> None:
        """Hear what the points of the last answer came to; None failed."""
        ...


class Ours:
    """One of our algorithms, in process: a fold that is shown the log."""

    def __init__(self, algorithm: str, space: SearchSpace, seed: int) -> None:
        self._fold = registry.start(problem_of(space, algorithm, seed=seed))
        self._trials = 0
        self._position = 0

    def ask(self, count: int) -> Sequence[Point]:
        proposals = self._fold.suggest(self._trials, count).proposals
        made_from = self._position
        for offset, proposal in enumerate(proposals):
            index = self._trials + offset
            self._observe(Proposed(self._position + 1, index, proposal, made_from))
        return [proposal.point for proposal in proposals]

    def tell(self, losses: Sequence[float | None]) -> None:
        for loss in losses:
            state = TrialState.FAILED if loss is None else TrialState.SUCCEEDED
            verdict = Verdict.BAD if loss is None else Verdict.OBSERVED
            self._observe(Finished(self._position + 1, self._trials, state, verdict, loss))
            self._trials += 1

    def _observe(self, entry: Entry) -> None:
        self._fold.observe(entry)
        self._position = entry.position


class Optuna:
    """A study that is asked and told; parameters are suggested as far as they are active."""

    def __init__(self, sampler: str, space: SearchSpace, seed: int, parallel: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        options = {"constant_liar": parallel > 1} if sampler == "TPESampler" else {}
        made = getattr(optuna.samplers, sampler)(seed=seed, **options)
        self._study = optuna.create_study(sampler=made)
        self._failed = optuna.trial.TrialState.FAIL
        self._space = space
        self._unknown = dict.fromkeys(space.by_name, "")  # keeps what depends on it inactive
        self._asked: list[Any] = []

    def ask(self, count: int) -> Sequence[Point]:
        self._asked = [self._study.ask() for _ in range(count)]
        return [self._point(trial) for trial in self._asked]

    def tell(self, losses: Sequence[float | None]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            if loss is None:
                self._study.tell(trial, state=self._failed)
            else:
                self._study.tell(trial, loss)

    def _point(self, trial: Any) -> Point:
        point: dict[str, Value] = {}
        for parameter in self._space.parameters:
            if parameter.name in self._space.active({**self._unknown, **point}):
                point[parameter.name] = self._suggested(trial, parameter)
        return point

    @staticmethod
    def _suggested(trial: Any, parameter: Parameter) -> Value:
        log = parameter.distribution is Distribution.LOG_UNIFORM
        name, low, high = parameter.name, float(parameter.low), float(parameter.high)
        found: Value
        if not parameter.is_numeric:
            found = trial.suggest_categorical(name, parameter.choices)
        elif parameter.kind is ParameterKind.INT:
            found = trial.suggest_int(name, int(low), int(high), log=log)
        else:
            found = trial.suggest_float(name, low, high, log=log)
        return found


class Skopt:
    """gp_minimize's optimizer, asked for batches by its constant liar; failures are the worst."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        from skopt import Optimizer
        from skopt.space import Categorical, Integer, Real

        def dimension(each: Parameter) -> Any:
            prior = "log-uniform" if each.distribution is Distribution.LOG_UNIFORM else "uniform"
            if not each.is_numeric:
                return Categorical(each.choices)
            if each.kind is ParameterKind.INT:
                return Integer(int(each.low), int(each.high), prior)
            return Real(float(each.low), float(each.high), prior)

        warnings.simplefilter("ignore")
        self._names = [each.name for each in space.parameters]
        self._optimizer = Optimizer(
            [dimension(each) for each in space.parameters], random_state=seed, n_initial_points=10
        )
        self._asked: list[Any] = []
        self._worst: float | None = None

    def known(self, points: Sequence[Point], losses: Sequence[float]) -> None:
        """Hear of trials that were not asked for, at once."""
        self._optimizer.tell([[point[name] for name in self._names] for point in points], losses)

    def ask(self, count: int) -> Sequence[Point]:
        batch = self._optimizer.ask(n_points=count) if count > 1 else [self._optimizer.ask()]
        self._asked = list(batch)
        return [
            {name: _native(value) for name, value in zip(self._names, at, strict=True)}
            for at in self._asked
        ]

    def tell(self, losses: Sequence[float | None]) -> None:
        known = [loss for loss in (self._worst, *losses) if loss is not None]
        if not known:
            return  # nothing says yet how bad a failure is
        self._worst = max(known)
        told = [self._worst if loss is None else loss for loss in losses]
        self._optimizer.tell(self._asked, told)


def _native(value: Any) -> Value:
    found: Value = value.item() if hasattr(value, "item") else value
    return found


class Hyperopt:
    """hyperopt's tpe, asked through its trials; those of a batch are not told until all ended."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        import numpy as np
        from hyperopt import Domain, Trials, hp, tpe

        def dimension(each: Parameter) -> Any:
            low, high = float(each.low), float(each.high)
            if not each.is_numeric:
                return hp.choice(each.name, each.choices)
            log = each.distribution is Distribution.LOG_UNIFORM
            if each.kind is ParameterKind.INT:
                if log:
                    return hp.qloguniform(each.name, math.log(low), math.log(high), 1)
                return hp.uniformint(each.name, low, high)
            if log:
                return hp.loguniform(each.name, math.log(low), math.log(high))
            return hp.uniform(each.name, low, high)

        self._space, self._suggest = space, tpe.suggest
        self._domain = Domain(lambda _: 0.0, {p.name: dimension(p) for p in space.parameters})
        self._trials = Trials()
        self._chance = np.random.default_rng(seed)
        self._asked: list[Any] = []

    def ask(self, count: int) -> Sequence[Point]:
        self._asked = []
        for each in self._trials.new_trial_ids(count):  # asked for several it repeats one point
            draw = int(self._chance.integers(2**31 - 1))
            self._asked += self._suggest([each], self._domain, self._trials, draw)
        return [self._point(each["misc"]["vals"]) for each in self._asked]

    def tell(self, losses: Sequence[float | None]) -> None:
        for document, loss in zip(self._asked, losses, strict=True):
            ended = {"status": "fail"} if loss is None else {"status": "ok", "loss": loss}
            document["state"], document["result"] = 2, ended
        self._trials.insert_trial_docs(self._asked)
        self._trials.refresh()

    def _point(self, drawn: Mapping[str, Any]) -> Point:
        point: dict[str, Value] = {}
        for each in self._space.parameters:
            value = drawn[each.name][0]
            if not each.is_numeric:
                point[each.name] = each.choices[int(value)]
            elif each.kind is ParameterKind.INT:
                point[each.name] = min(max(int(value), int(each.low)), int(each.high))
            else:
                point[each.name] = min(max(float(value), float(each.low)), float(each.high))
        return point


class Vizier:
    """Google Vizier's default, a Gaussian process: seconds for each answer."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        import jax
        from vizier import algorithms, pyvizier
        from vizier.algorithms.designers import VizierGPUCBPEBandit

        problem = pyvizier.ProblemStatement()
        root = problem.search_space.root
        for each in space.parameters:
            log = each.distribution is Distribution.LOG_UNIFORM
            scale = pyvizier.ScaleType.LOG if log else pyvizier.ScaleType.LINEAR
            if not each.is_numeric:
                root.add_categorical_param(each.name, each.choices)
            elif each.kind is ParameterKind.INT:
                root.add_int_param(each.name, int(each.low), int(each.high), scale_type=scale)
            else:
                root.add_float_param(each.name, float(each.low), float(each.high), scale_type=scale)
        goal = pyvizier.ObjectiveMetricGoal.MINIMIZE
        problem.metric_information.append(pyvizier.MetricInformation("loss", goal=goal))
        self._designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(seed))
        self._completed, self._active = algorithms.CompletedTrials, algorithms.ActiveTrials
        self._measurement = pyvizier.Measurement
        self._trials = 0
        self._asked: list[Any] = []

    def ask(self, count: int) -> Sequence[Point]:
        first = self._trials + 1
        suggested = self._designer.suggest(count)
        self._asked = [each.to_trial(first + place) for place, each in enumerate(suggested)]
        self._trials += len(self._asked)
        return [trial.parameters.as_dict() for trial in self._asked]

    def tell(self, losses: Sequence[float | None]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            if loss is None:
                trial.complete(self._measurement(), infeasibility_reason="failed")
            else:
                trial.complete(self._measurement({"loss": loss}))
        self._designer.update(self._completed(self._asked), self._active())


@dataclass(frozen=True, slots=True)
class Contender:
    """Who can be measured. `start` takes a space, a seed, and how many trials run at once."""

    start: Callable[[SearchSpace, int, int], Searcher]
    package: str = ""  # of the library; "" is ours
    module: str = ""
    algorithm: str = ""
    conditions: bool = False

    def version(self) -> str:
        return version(self.package)

    def can(self, space: SearchSpace) -> bool:
        if self.algorithm:
            return not registry.validate_problem(problem_of(space, self.algorithm))
        if importlib.util.find_spec(self.module) is None:
            return False
        return self.conditions or not space.conditions


def _ours(algorithm: str) -> Contender:
    return Contender(
        lambda space, seed, _parallel: Ours(algorithm, space, seed), algorithm=algorithm
    )


def _optuna(sampler: str, needs: str = "optuna") -> Contender:
    return Contender(
        lambda space, seed, parallel: Optuna(sampler, space, seed, parallel),
        "optuna",
        needs,
        conditions=True,
    )


CONTENDERS: Mapping[str, Contender] = {
    **{name: _ours(name) for name in registry.BUILT_IN},
    "optuna tpe": _optuna("TPESampler"),
    "optuna gp": _optuna("GPSampler", "torch"),
    "optuna cmaes": _optuna("CmaEsSampler"),
    "optuna random": _optuna("RandomSampler"),
    "scikit-optimize": Contender(
        lambda space, seed, _parallel: Skopt(space, seed), "scikit-optimize", "skopt"
    ),
    "vizier": Contender(
        lambda space, seed, _parallel: Vizier(space, seed), "google-vizier", "vizier"
    ),
    "hyperopt": Contender(
        lambda space, seed, _parallel: Hyperopt(space, seed), "hyperopt", "hyperopt"
    ),
}
