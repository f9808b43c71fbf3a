"""From a validated document to the values that the core works with."""

from decimal import Decimal

from . import defaults
from .algorithm_spec import AlgorithmSpec, Setting
from .checkpoint import TRIAL_DIR, Checkpoint, Keep
from .durations import parse_duration
from .excerpts import objective_of
from .experiment import Experiment, ExperimentSpec
from .fidelity import widened
from .parameter_spec import FeasibleSpace, GraphConfig, NasConfig, ParameterSpec
from .policy import NoImprovement, OnLost, Policy, ResumePolicy
from .policy_spec import AskTell, StopWhen, TrialPolicy
from .problem import ALGORITHM, ANSWER_SECONDS, PARALLEL_TRIALS, Architecture, Operation, Problem
from .space import Distribution, Parameter, ParameterCondition, ParameterKind, SearchSpace


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
        conditions(spec),
    )


def conditions(spec: ExperimentSpec) -> tuple[ParameterCondition, ...]:
    return tuple(
        ParameterCondition(entry.parameter, entry.when.parameter, entry.when.in_)
        for entry in spec.parameter_conditions
        if entry.when is not None
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
    whole = defaults.write(experiment)
    spec = whole.spec
    algorithm = spec.algorithm or AlgorithmSpec(algorithm_name=ALGORITHM)
    return Problem(
        experiment=experiment.metadata.name or "",
        uid=uid,
        space=search_space(spec),
        objective=objective_of(whole.write()),
        algorithm=algorithm.algorithm_name,
        settings=settings(algorithm.algorithm_settings),
        seed=seed if spec.seed is None else spec.seed,
        max_trials=spec.max_trial_count,
        parallel_trials=spec.parallel_trial_count or PARALLEL_TRIALS,
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
        parallel=spec.parallel_trial_count or PARALLEL_TRIALS,
        resume_policy=ResumePolicy(spec.resume_policy) if spec.resume_policy else None,
        retries=trial.retries or 0,
        backoff_seconds=Policy().backoff_seconds if backoff is None else backoff,
        active_deadline=trial.active_deadline_seconds,
        pending_deadline=trial.pending_deadline_seconds,
        on_lost=OnLost(trial.on_lost or OnLost.RETRY),
        max_duration=None if spec.max_duration is None else parse_duration(spec.max_duration),
        no_improvement=_no_improvement(spec.stop_when),
        repeats=spec.repeats or 1,
        retain=bool(template and template.retain),
        lease=_lease(spec.ask_tell),
    )


def _lease(asked: AskTell | None) -> float | None:
    if asked is None:
        return None
    return defaults.LEASE_SECONDS if asked.lease_seconds is None else asked.lease_seconds


def _no_improvement(stop_when: StopWhen | None) -> NoImprovement | None:
    written = stop_when.no_improvement if stop_when else None
    if written is None:
        return None
    return NoImprovement(written.trials or 1, written.min_delta or 0.0)
