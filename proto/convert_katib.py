"""Between Katib's wire (api.v1.beta1) and the language of `api/`.

Katib's request carries everything as text and the whole history each time; a
log is made of it here. Its order is that of the trials' times, so that a
history that grows is a log that grows.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from ..api.errors import Fault, Invalid
from ..api.fidelity import widened
from ..api.history import Entry, Finished, Proposal, Proposed, Verdict
from ..api.identity import trial_name
from ..api.objective import Direction, Metric, Objective, Strategy
from ..api.problem import ALGORITHM, Architecture, Operation, Problem
from ..api.remarks import is_label
from ..api.space import (
    Distribution,
    Parameter,
    ParameterKind,
    Point,
    SearchSpace,
    Value,
    format_value,
)
from ..api.space_faults import sound
from ..api.states import TrialState
from . import api_pb2 as pb
from .convert import decimal_of

Answer: TypeAlias = pb.GetSuggestionsReply.ParameterAssignments
"""A point of a plug-in, with the name and the labels of its trial."""

_KINDS = {
    pb.DOUBLE: ParameterKind.DOUBLE,
    pb.INT: ParameterKind.INT,
    pb.DISCRETE: ParameterKind.DISCRETE,
    pb.CATEGORICAL: ParameterKind.CATEGORICAL,
}
_DISTRIBUTIONS = {
    pb.UNIFORM: Distribution.UNIFORM,
    pb.LOG_UNIFORM: Distribution.LOG_UNIFORM,
    pb.NORMAL: Distribution.NORMAL,
    pb.LOG_NORMAL: Distribution.LOG_NORMAL,
}
_STATES = {
    TrialState.CREATED: pb.TrialStatus.CREATED,
    TrialState.RUNNING: pb.TrialStatus.RUNNING,
    TrialState.SUCCEEDED: pb.TrialStatus.SUCCEEDED,
    TrialState.KILLED: pb.TrialStatus.KILLED,
    TrialState.FAILED: pb.TrialStatus.FAILED,
    TrialState.METRICS_UNAVAILABLE: pb.TrialStatus.METRICSUNAVAILABLE,
    TrialState.EARLY_STOPPED: pb.TrialStatus.EARLYSTOPPED,
}
_STATES_BACK = {number: state for state, number in _STATES.items()}
_KINDS_BACK = {kind: number for number, kind in _KINDS.items()}
_DISTRIBUTIONS_BACK = {kind: number for number, kind in _DISTRIBUTIONS.items()}
_START = datetime(2000, 1, 1, tzinfo=UTC)


# From Katib.


def problem_from_katib(experiment: pb.Experiment) -> Problem:
    """Return the problem; its uid and seed come from its name and specification.

    Raises:
        Invalid: a parameter is malformed.
    """
    spec = experiment.spec
    settings = {one.name: one.value for one in spec.algorithm.algorithm_settings}
    space = _space_from_katib(spec.parameter_specs, "spec.parameters")
    return Problem(
        experiment=experiment.name,
        uid=_digest(experiment).hex(),
        space=widened(space, settings),
        objective=objective_from_katib(spec.objective),
        algorithm=spec.algorithm.algorithm_name or ALGORITHM,
        settings=settings,
        seed=int.from_bytes(_digest(experiment)[:4], "big"),
        max_trials=spec.max_trial_count or None,
        parallel_trials=spec.parallel_trial_count or 1,
        architecture=_architecture_from_katib(spec.nas_config)
        if spec.HasField("nas_config")
        else None,
        all_or_none=True,
    )


def objective_from_katib(wire: pb.ObjectiveSpec) -> Objective:
    maximize = wire.type == pb.MAXIMIZE
    direction = Direction.MAXIMIZE if maximize else Direction.MINIMIZE
    strategy = Strategy.MAX if maximize else Strategy.MIN
    return Objective(Metric(wire.objective_metric_name, strategy), direction)


def _architecture_from_katib(wire: pb.NasConfig) -> Architecture:
    graph, path = wire.graph_config, "spec.nasConfig.operations"
    return Architecture(
        layers=graph.num_layers or None,
        input_sizes=tuple(graph.input_sizes),
        output_sizes=tuple(graph.output_sizes),
        operations=tuple(
            Operation(
                operation.operation_type,
                _space_from_katib(operation.parameter_specs, f"{path}[{i}].parameters"),
            )
            for i, operation in enumerate(wire.operations.operation)
        ),
    )


def _digest(experiment: pb.Experiment) -> bytes:
    """Hash the name and what of the specification is not edited while it runs."""
    spec = experiment.spec
    parts = (spec.parameter_specs, spec.objective, spec.algorithm, spec.nas_config)
    texts = [part.SerializeToString(deterministic=True) for part in parts]
    return hashlib.sha256(b"\0".join([experiment.name.encode(), *texts])).digest()


def _space_from_katib(
    wire: pb.ExperimentSpec.ParameterSpecs | pb.Operation.ParameterSpecs, path: str
) -> SearchSpace:
    parameters = tuple(
        _parameter_from_katib(parameter, f"{path}[{place}]")
        for place, parameter in enumerate(wire.parameters)
    )
    return sound(SearchSpace(parameters), path)


def _parameter_from_katib(wire: pb.ParameterSpec, path: str) -> Parameter:
    kind, space = _KINDS.get(wire.parameter_type), wire.feasible_space
    if kind is None:
        message = "unknown parameter type"
        raise Invalid([Fault(f"{path}.parameterType", message, kind="NotSupported")])
    distribution = _DISTRIBUTIONS.get(space.distribution, Distribution.UNIFORM)
    if kind in {ParameterKind.DISCRETE, ParameterKind.CATEGORICAL}:
        # Katib lets an entry stand twice; it is one value.
        return Parameter(wire.name, kind, choices=tuple(dict.fromkeys(space.list)))
    step = decimal_of(space.step, f"{path}.feasibleSpace.step") if space.step else None
    if kind is ParameterKind.INT and step is None:
        step = Decimal(1)
    return Parameter(
        wire.name,
        kind,
        decimal_of(space.min, f"{path}.feasibleSpace.min"),
        decimal_of(space.max, f"{path}.feasibleSpace.max"),
        step,
        distribution=distribution,
    )


def log_from_katib(problem: Problem, trials: Iterable[pb.Trial]) -> list[Entry]:
    """Make a log of the trials of a request.

    Those without a start time come last: they were created and wait. One that has not
    ended and is no point of the space tells nothing, and is left out.

    Raises:
        Invalid: a trial that ended is no point of the space.
    """
    telling = (trial for trial in trials if _has_ended(trial) or _is_point(problem, trial))
    ordered = sorted(telling, key=lambda trial: (trial.status.start_time or "~", trial.name))
    events: list[tuple[str, int, int, pb.Trial]] = []
    for index, trial in enumerate(ordered):
        events.append((trial.status.start_time or "~", 0, index, trial))
        if _has_ended(trial):
            ended = trial.status.completion_time or trial.status.start_time or "~"
            events.append((max(ended, trial.status.start_time), 1, index, trial))
    events.sort(key=lambda event: event[:3])
    entries: list[Entry] = []
    for position, (_time, is_end, index, trial) in enumerate(events, start=1):
        if is_end:
            entries.append(_finished(problem, position, index, trial))
        else:
            labels = tuple(sorted(trial.spec.labels.items()))
            proposal = Proposal(_point(problem, trial), labels=labels, name=trial.name)
            entries.append(Proposed(position, index, proposal, position - 1))
    return entries


def _has_ended(trial: pb.Trial) -> bool:
    state = _STATES_BACK.get(trial.status.condition)
    return state is not None and state.is_finished


def _is_point(problem: Problem, trial: pb.Trial) -> bool:
    try:
        _point_of(problem, trial.spec.parameter_assignments.assignments)
    except ValueError:
        return False
    return True


def _finished(problem: Problem, position: int, index: int, trial: pb.Trial) -> Finished:
    state = _STATES_BACK[trial.status.condition]
    name = trial.spec.objective.objective_metric_name or problem.objective.metric.name
    texts = [metric.value for metric in trial.status.observation.metrics if metric.name == name]
    value = _number(texts[-1]) if texts else None
    if state in {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED} and value is not None:
        verdict = Verdict.OBSERVED if math.isfinite(value) else Verdict.BAD
    else:
        verdict = Verdict.BAD if state is TrialState.FAILED else Verdict.NOTHING
    return Finished(position, index, state, verdict, value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # Katib writes "unavailable" where a metric was never seen


def _point(problem: Problem, trial: pb.Trial) -> Point:
    try:
        return _point_of(problem, trial.spec.parameter_assignments.assignments)
    except ValueError as error:
        path = f"trials[{trial.name}].spec.parameterAssignments"
        raise Invalid([Fault(path, f"no point of the search space: {error}")]) from None


def _point_of(
    problem: Problem,
    assignments: Iterable[pb.ParameterAssignment],
    read: Callable[[Parameter, str], Value] = Parameter.parse,
) -> Point:
    """Read a point. What describes an architecture is text that only the algorithm knows.

    Raises:
        ValueError: it is no point of the search space; the message says why.
    """
    texts = {one.name: one.value for one in assignments}
    if problem.architecture is not None:
        return texts
    missing = [one.name for one in problem.space.parameters if one.name not in texts]
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}")
    point: dict[str, Value] = {}
    for one in problem.space.parameters:
        try:
            point[one.name] = read(one, texts[one.name])
        except ValueError as error:
            raise ValueError(f"{one.name}: {error}") from error
    return point


def proposal_from_katib(
    problem: Problem,
    wire: Answer,
    *,
    nearest: bool = False,
) -> Proposal:
    """Read a point of a plug-in; with `nearest` a number beside the space is the next one in it.

    Labels that no cluster takes are left out: Katib's pbt makes such of long names.

    Raises:
        ValueError: it is outside the search space; the message says where.
    """
    point = _point_of(problem, wire.assignments, _nearest if nearest else Parameter.parse)
    labels = sorted(label for label in wire.labels.items() if is_label(*label))
    return Proposal(point, labels=tuple(labels), name=wire.trial_name or None)


def _nearest(parameter: Parameter, text: str) -> Value:
    try:
        return parameter.parse(text)
    except ValueError:
        number = _number(text) if parameter.is_numeric else None
        if number is None or not math.isfinite(number):
            raise
        return parameter.nearest(number)


# To Katib.


def proposals_to_katib(proposals: Iterable[Proposal]) -> pb.GetSuggestionsReply:
    return pb.GetSuggestionsReply(parameter_assignments=map(answer_to_katib, proposals))


def answer_to_katib(proposal: Proposal) -> Answer:
    return Answer(
        assignments=[
            pb.ParameterAssignment(name=name, value=format_value(value))
            for name, value in proposal.point.items()
        ],
        trial_name=proposal.name or "",
        labels=dict(proposal.labels),
    )


def experiment_to_katib(problem: Problem, settings: Mapping[str, str]) -> pb.Experiment:
    """Return the experiment with the settings that the plug-in returned over its own."""
    merged = {**problem.settings, **settings}
    nas = problem.architecture
    return pb.Experiment(
        name=problem.experiment,
        spec=pb.ExperimentSpec(
            nas_config=None if nas is None else _architecture_to_katib(nas),
            parameter_specs=pb.ExperimentSpec.ParameterSpecs(
                parameters=[_parameter_to_katib(one) for one in problem.space.parameters]
            ),
            objective=_objective_to_katib(problem.objective),
            algorithm=pb.AlgorithmSpec(
                algorithm_name=problem.algorithm,
                algorithm_settings=[
                    pb.AlgorithmSetting(name=name, value=value) for name, value in merged.items()
                ],
            ),
            parallel_trial_count=problem.parallel_trials,
            max_trial_count=problem.max_trials or 0,
        ),
    )


def _objective_to_katib(objective: Objective) -> pb.ObjectiveSpec:
    return pb.ObjectiveSpec(
        type=pb.MAXIMIZE if objective.direction is Direction.MAXIMIZE else pb.MINIMIZE,
        goal=objective.goal or 0.0,
        objective_metric_name=objective.metric.name,
        additional_metric_names=[one.name for one in objective.others],
    )


def _architecture_to_katib(architecture: Architecture) -> pb.NasConfig:
    return pb.NasConfig(
        graph_config=pb.GraphConfig(
            num_layers=architecture.layers or 0,
            input_sizes=architecture.input_sizes,
            output_sizes=architecture.output_sizes,
        ),
        operations=pb.NasConfig.Operations(
            operation=[
                pb.Operation(
                    operation_type=operation.kind,
                    parameter_specs=pb.Operation.ParameterSpecs(
                        parameters=[_parameter_to_katib(one) for one in operation.space.parameters]
                    ),
                )
                for operation in architecture.operations
            ]
        ),
    )


def _parameter_to_katib(parameter: Parameter) -> pb.ParameterSpec:
    space = pb.FeasibleSpace(
        list=parameter.choices, distribution=_DISTRIBUTIONS_BACK[parameter.distribution]
    )
    if parameter.is_numeric:
        # Katib's services call int() on those of an int, which knows no point and no exponent.
        written = int if parameter.kind is ParameterKind.INT else Decimal
        space.min, space.max = str(written(parameter.low)), str(written(parameter.high))
        space.step = "" if parameter.step is None else str(written(parameter.step))
    return pb.ParameterSpec(
        name=parameter.name,
        parameter_type=_KINDS_BACK[parameter.kind],
        feasible_space=space,
    )


def trials_to_katib(
    problem: Problem,
    entries: Sequence[Entry],
    time_of: Mapping[int, str],
    words: Callable[[Proposal], Answer] = answer_to_katib,
) -> list[pb.Trial]:
    """Return the trials that a log tells of, as Katib's controller sends them.

    `time_of` gives a log position's time as text; positions serve where nothing
    else is known, since plug-ins order trials by it. Katib leaves out trials
    whose metrics are unavailable, and so does this. Each trial carries the objective:
    Katib's services look there for the metric that they learn from. `words` tells a
    trial in those of the plug-in that made it.
    """
    objective = _objective_to_katib(problem.objective)
    trials: dict[int, pb.Trial] = {}
    for entry in entries:
        stamp = time_of.get(entry.position, _stamp(entry.position))
        match entry:
            case Proposed(index=index, proposal=proposal):
                own = words(proposal)
                name = own.trial_name or trial_name(problem.experiment, problem.uid, index)
                trials[index] = pb.Trial(name=name)
                trial = trials[index]
                trial.spec.objective.CopyFrom(objective)
                trial.spec.parameter_assignments.assignments.extend(own.assignments)
                trial.spec.labels.update(own.labels)
                trial.status.start_time = stamp
                trial.status.condition = pb.TrialStatus.RUNNING
            case Finished(index=index) if index in trials:
                status = trials[index].status
                status.completion_time = stamp
                status.condition = _STATES[entry.state]
                status.observation.metrics.extend(_metrics(problem.objective, entry))
                if entry.state is TrialState.METRICS_UNAVAILABLE:
                    del trials[index]
            case _:
                trials.pop(entry.index, None)
    return list(trials.values())


def _metrics(objective: Objective, entry: Finished) -> list[pb.Metric]:
    own = () if entry.value is None else ((objective.metric.name, entry.value),)
    values = (*own, *entry.values)
    return [pb.Metric(name=name, value=format_value(value)) for name, value in values]


def _stamp(position: int) -> str:
    """Return a time that grows with the position, as Katib writes times."""
    return f"{_START + timedelta(seconds=position):%Y-%m-%dT%H:%M:%SZ}"
