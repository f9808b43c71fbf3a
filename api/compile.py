"""From a validated document to the values that the core works with."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from . import defaults
from .algorithm_spec import AlgorithmSpec, EarlyStoppingSpec, Setting
from .checkpoint import TRIAL_DIR, Checkpoint, Keep
from .durations import parse_duration
from .experiment import Experiment, ExperimentSpec
from .fidelity import widened
from .objective import Constraint, Direction, Further, Metric, Objective, Strategy
from .objective_spec import FurtherObjective, MetricConstraint, ObjectiveSpec
from .parameter_spec import FeasibleSpace, GraphConfig, NasConfig, ParameterSpec
from .policy import NoImprovement, OnLost, Policy, ResumePolicy
from .policy_spec import AskTell, StopWhen, TrialPolicy
from .problem import ALGORITHM, ANSWER_SECONDS, Architecture, Operation, Problem
from .space import Distribution, Parameter, ParameterCondition, ParameterKind, SearchSpace
from .stopping import StoppingRule

BEST = {Direction.MINIMIZE: Strategy.MIN, Direction.MAXIMIZE: Strategy.MAX}


def objective(
    spec: ObjectiveSpec,
    further: Sequence[FurtherObjective] = (),
    constraints: Sequence[MetricConstraint] = (),
) -> Objective:
    """Compile `spec.objective` with what stands beside it.

    A metric without a strategy takes its best value, one that is only bounded its latest.
    """
    direction = Direction(spec.type)
    strategies = {
        **{entry.metric: Strategy.LATEST for entry in constraints},
        **{entry.metric: BEST[Direction(entry.type)] for entry in further},
        **dict.fromkeys(
            (spec.objective_metric_name, *spec.additional_metric_names), BEST[direction]
        ),
        **{entry.name: Strategy(entry.value) for entry in spec.metric_strategies},
    }

    def metric(name: str) -> Metric:
        return Metric(name, strategies[name])

    return Objective(
        metric=metric(spec.objective_metric_name),
        direction=direction,
        goal=spec.goal,
        additional=tuple(metric(name) for name in spec.additional_metric_names),
        further=tuple(
            Further(metric(entry.metric), Direction(entry.type), entry.goal) for entry in further
        ),
        constraints=tuple(
            Constraint(
                metric(entry.metric),
                -math.inf if entry.min is None else entry.min,
                math.inf if entry.max is None else entry.max,
            )
            for entry in constraints
        ),
    )


def objective_of(document: Mapping[str, Any]) -> Objective:
    """Compile the objective of a whole Experiment, reading no more of it than that needs."""
    spec = document["spec"]
    return objective(
        ObjectiveSpec.read(spec["objective"]),
        tuple(map(FurtherObjective.read, spec.get("objectives") or ())),
        tuple(map(MetricConstraint.read, spec.get("constraints") or ())),
    )


def stopping_rule(spec: EarlyStoppingSpec) -> StoppingRule:
    return StoppingRule(spec.algorithm_name, settings(spec.algorithm_settings), spec.endpoint)


def stopping_rule_of(document: Mapping[str, Any]) -> StoppingRule | None:
    """Compile the early stopping of a whole Experiment, None where it has none."""
    written = document["spec"].get("earlyStopping")
    return None if written is None else stopping_rule(EarlyStoppingSpec.read(written))


def settings(written: tuple[Setting, ...]) -> dict[str, str]:
    return {setting.name: setting.value for setting in written}


def parameter(spec: ParameterSpec) -> Parameter:
    """Compile one dimension of a validated space.

    Raises:
        ValueError: it was not validated.
        ArithmeticError: the same.
    """
    kind, space = ParameterKind(spec.parameter_type), spec.feasible_space or FeasibleSpace()
    if kind in {ParameterKind.DISCRETE, ParameterKind.CATEGORICAL}:
        return Parameter(spec.name, kind, choices=space.list)
    return Parameter(
        spec.name,
        kind,
        low=Decimal(space.min or ""),
        high=Decimal(space.max or ""),
        step=Decimal(space.step) if space.step else None,
        distribution=Distribution(space.distribution or "uniform"),
    )


def search_space(spec: ExperimentSpec) -> SearchSpace:
    """Compile the space that points lie in."""
    given = settings(spec.algorithm.algorithm_settings) if spec.algorithm else {}
    return widened(_written_space(spec), given)


def _written_space(spec: ExperimentSpec) -> SearchSpace:
    return SearchSpace(
        tuple(map(parameter, spec.parameters)),
        tuple(
            ParameterCondition(entry.parameter, entry.when.parameter, entry.when.in_)
            for entry in spec.parameter_conditions
            if entry.when is not None
        ),
    )


def architecture(nas: NasConfig) -> Architecture:
    graph = nas.graph_config or GraphConfig()
    return Architecture(
        layers=graph.num_layers,
        input_sizes=graph.input_sizes,
        output_sizes=graph.output_sizes,
        operations=tuple(
            Operation(entry.operation_type, SearchSpace(tuple(map(parameter, entry.parameters))))
            for entry in nas.operations
        ),
    )


def problem(experiment: Experiment, *, uid: str, seed: int) -> Problem:
    """Compile what an algorithm is told. The seed in the file wins over the one given."""
    spec = defaults.write(experiment).spec
    algorithm = spec.algorithm or AlgorithmSpec(algorithm_name=ALGORITHM)
    return Problem(
        experiment=experiment.metadata.name or "",
        uid=uid,
        space=search_space(spec),
        objective=objective(spec.objective or ObjectiveSpec(), spec.objectives, spec.constraints),
        algorithm=algorithm.algorithm_name,
        settings=settings(algorithm.algorithm_settings),
        seed=seed if spec.seed is None else spec.seed,
        max_trials=spec.max_trial_count,
        parallel_trials=spec.parallel_trial_count or defaults.PARALLEL_TRIALS,
        architecture=architecture(spec.nas_config) if spec.nas_config else None,
        endpoint=algorithm.endpoint,
    )


def answer_seconds(experiment: Experiment) -> float:
    """Return how long one answer of the algorithm may take."""
    spec = experiment.spec.algorithm
    return (spec.timeout_seconds if spec else None) or ANSWER_SECONDS


def checkpoint(spec: ExperimentSpec) -> Checkpoint | None:
    """Compile where trials keep checkpoints; None where the file says nothing of them."""
    if spec.checkpoint is not None:
        keep = Keep(spec.checkpoint.keep or Keep.NEEDED)
        return Checkpoint(spec.checkpoint.path, spec.checkpoint.volume, keep=keep)
    given = settings(spec.algorithm.algorithm_settings) if spec.algorithm else {}
    return Checkpoint(given[TRIAL_DIR]) if given.get(TRIAL_DIR) else None


def policy(experiment: Experiment) -> Policy:
    """Compile how the experiment is run."""
    spec = defaults.write(experiment).spec
    trial, template = spec.trial_policy or TrialPolicy(), spec.trial_template
    backoff = trial.backoff_seconds
    return Policy(
        max_trials=spec.max_trial_count,
        max_failed=spec.max_failed_trial_count,
        parallel=spec.parallel_trial_count or defaults.PARALLEL_TRIALS,
        resume_policy=ResumePolicy(spec.resume_policy) if spec.resume_policy else None,
        retries=trial.retries or 0,
        backoff_seconds=Policy().backoff_seconds if backoff is None else backoff,
        active_deadline=trial.active_deadline_seconds,
        pending_deadline=trial.pending_deadline_seconds,
        on_lost=OnLost(trial.on_lost or OnLost.RETRY),
        max_duration=None if spec.max_duration is None else parse_duration(spec.max_duration),
        no_improvement=_no_improvement(spec.stop_when),
        suspend=bool(spec.suspend),
        repeats=spec.repeats or 1,
        ttl_seconds=spec.ttl_seconds_after_finished,
        retain=bool(template and template.retain),
        lease=_lease(spec.ask_tell),
    )


def _lease(asked: AskTell | None) -> float | None:
    if asked is None:
        return None
    return defaults.LEASE_SECONDS if asked.lease_seconds is None else asked.lease_seconds


def min_delta_of(document: Mapping[str, Any]) -> float:
    """Return what the best must be bettered by, of a whole Experiment, to count as better."""
    written = document["spec"].get("stopWhen")
    patience = None if written is None else _no_improvement(StopWhen.read(written))
    return patience.min_delta if patience else 0.0


def _no_improvement(stop_when: StopWhen | None) -> NoImprovement | None:
    written = stop_when.no_improvement if stop_when else None
    if written is None:
        return None
    return NoImprovement(written.trials or 1, written.min_delta or 0.0)
