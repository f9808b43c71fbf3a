"""Between tunewright.v1 and the language of `api/`: problems, points, the log.

`convert_stopping` does the same for early stopping, `convert_katib` and
`convert_katib_stopping` for Katib's api.v1.beta1. A malformed message becomes
`Invalid`, with the path of the field.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from ..api.errors import Fault, Invalid, Unsupported
from ..api.history import (
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
    Verdict,
)
from ..api.objective import Constraint, Direction, Further, Metric, Objective, Strategy
from ..api.problem import ALGORITHM, Architecture, Operation, Problem
from ..api.space import (
    Distribution,
    Parameter,
    ParameterCondition,
    ParameterKind,
    Point,
    SearchSpace,
    Value,
)
from ..api.space_faults import sound
from ..api.states import TrialState
from . import tunewright_pb2 as pb

_WHOLE = 2**63

_Wire = TypeVar("_Wire")
_Word = TypeVar("_Word")

KINDS = {
    ParameterKind.DOUBLE: pb.DOUBLE,
    ParameterKind.INT: pb.INT,
    ParameterKind.DISCRETE: pb.DISCRETE,
    ParameterKind.CATEGORICAL: pb.CATEGORICAL,
}
DISTRIBUTIONS = {
    Distribution.UNIFORM: pb.UNIFORM,
    Distribution.LOG_UNIFORM: pb.LOG_UNIFORM,
    Distribution.NORMAL: pb.NORMAL,
    Distribution.LOG_NORMAL: pb.LOG_NORMAL,
}
DIRECTIONS = {Direction.MINIMIZE: pb.MINIMIZE, Direction.MAXIMIZE: pb.MAXIMIZE}
STRATEGIES = {Strategy.MIN: pb.MIN, Strategy.MAX: pb.MAX, Strategy.LATEST: pb.LATEST}
VERDICTS = {Verdict.NOTHING: pb.NOTHING, Verdict.OBSERVED: pb.OBSERVED, Verdict.BAD: pb.BAD}
STATES = {
    SearchState.MORE: pb.MORE,
    SearchState.WAIT: pb.WAIT,
    SearchState.EXHAUSTED: pb.EXHAUSTED,
}
_KINDS_BACK = {number: kind for kind, number in KINDS.items()}
_DISTRIBUTIONS_BACK = {number: kind for kind, number in DISTRIBUTIONS.items()}
_DIRECTIONS_BACK = {number: direction for direction, number in DIRECTIONS.items()}
_STRATEGIES_BACK = {number: strategy for strategy, number in STRATEGIES.items()}
VERDICTS_BACK = {number: verdict for verdict, number in VERDICTS.items()}
_STATES_BACK = {number: state for state, number in STATES.items()}
_TRIAL_STATES = {str(state): state for state in TrialState}


def decimal_of(text: str, path: str, *, default: Decimal | None = None) -> Decimal:
    """Read a decimal.

    Raises:
        Invalid: it is none.
    """
    if not text and default is not None:
        return default
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Invalid([Fault(path, f"{text!r} is not a number")]) from None


def _known(table: Mapping[_Wire, _Word], word: _Wire, path: str) -> _Word:
    """Read one of a few words.

    Raises:
        Invalid: it is none of them.
    """
    if word not in table:
        raise Invalid([Fault(path, f"{word!r} is not known")])
    return table[word]


# The problem.


def space_to_wire(space: SearchSpace) -> pb.SearchSpace:
    return pb.SearchSpace(
        parameters=[
            pb.Parameter(
                name=parameter.name,
                kind=KINDS[parameter.kind],
                low=str(parameter.low),
                high=str(parameter.high),
                step="" if parameter.step is None else str(parameter.step),
                choices=parameter.choices,
                distribution=DISTRIBUTIONS[parameter.distribution],
            )
            for parameter in space.parameters
        ],
        conditions=[
            pb.ParameterCondition(
                parameter=condition.parameter, when=condition.when, values=condition.values
            )
            for condition in space.conditions
        ],
    )


def space_from_wire(wire: pb.SearchSpace) -> SearchSpace:
    path = "problem.space.parameters"
    space = SearchSpace(
        tuple(
            _parameter_from_wire(parameter, f"{path}[{place}]")
            for place, parameter in enumerate(wire.parameters)
        ),
        tuple(
            ParameterCondition(condition.parameter, condition.when, tuple(condition.values))
            for condition in wire.conditions
        ),
    )
    return sound(space, path)


def _parameter_from_wire(wire: pb.Parameter, path: str) -> Parameter:
    kind = _KINDS_BACK.get(wire.kind)
    if kind is None:
        raise Invalid([Fault(f"{path}.kind", "it is not specified", kind="Required")])
    return Parameter(
        wire.name,
        kind,
        decimal_of(wire.low, f"{path}.low", default=Decimal(0)),
        decimal_of(wire.high, f"{path}.high", default=Decimal(0)),
        decimal_of(wire.step, f"{path}.step") if wire.step else None,
        tuple(wire.choices),
        _DISTRIBUTIONS_BACK.get(wire.distribution, Distribution.UNIFORM),
    )


def objective_to_wire(objective: Objective) -> pb.Objective:
    return pb.Objective(
        metric=_metric_to_wire(objective.metric),
        direction=DIRECTIONS[objective.direction],
        goal=objective.goal,
        additional=[_metric_to_wire(metric) for metric in objective.additional],
        further=[
            pb.Further(
                metric=_metric_to_wire(each.metric),
                direction=DIRECTIONS[each.direction],
                goal=each.goal,
            )
            for each in objective.further
        ],
        constraints=[
            pb.Constraint(metric=_metric_to_wire(each.metric), low=each.low, high=each.high)
            for each in objective.constraints
        ],
    )


def objective_from_wire(wire: pb.Objective) -> Objective:
    path = "problem.objective"
    return Objective(
        _metric_from_wire(wire.metric),
        _known(_DIRECTIONS_BACK, wire.direction, f"{path}.direction"),
        wire.goal if wire.HasField("goal") else None,
        tuple(_metric_from_wire(metric) for metric in wire.additional),
        tuple(
            Further(
                _metric_from_wire(each.metric),
                _known(_DIRECTIONS_BACK, each.direction, f"{path}.further.direction"),
                each.goal if each.HasField("goal") else None,
            )
            for each in wire.further
        ),
        tuple(
            Constraint(
                _metric_from_wire(each.metric),
                each.low if each.HasField("low") else -math.inf,
                each.high if each.HasField("high") else math.inf,
            )
            for each in wire.constraints
        ),
    )


def _metric_to_wire(metric: Metric) -> pb.Metric:
    return pb.Metric(name=metric.name, strategy=STRATEGIES[metric.strategy])


def _metric_from_wire(wire: pb.Metric) -> Metric:
    path = f"problem.objective.metric[{wire.name}].strategy"
    return Metric(wire.name, _known(_STRATEGIES_BACK, wire.strategy, path))


def problem_to_wire(problem: Problem) -> pb.Problem:
    wire = pb.Problem(
        experiment=problem.experiment,
        uid=problem.uid,
        space=space_to_wire(problem.space),
        objective=objective_to_wire(problem.objective),
        algorithm=problem.algorithm,
        settings=problem.settings,
        seed=problem.seed,
        max_trials=problem.max_trials,
        parallel_trials=problem.parallel_trials,
    )
    if problem.architecture is not None:
        wire.architecture.CopyFrom(_architecture_to_wire(problem.architecture))
    return wire


def problem_from_wire(wire: pb.Problem) -> Problem:
    return Problem(
        experiment=wire.experiment,
        uid=wire.uid,
        space=space_from_wire(wire.space),
        objective=objective_from_wire(wire.objective),
        algorithm=wire.algorithm or ALGORITHM,
        settings=dict(wire.settings),
        seed=wire.seed,
        max_trials=wire.max_trials if wire.HasField("max_trials") else None,
        parallel_trials=wire.parallel_trials,
        architecture=_architecture_from_wire(wire.architecture)
        if wire.HasField("architecture")
        else None,
    )


def _architecture_to_wire(architecture: Architecture) -> pb.Architecture:
    return pb.Architecture(
        layers=architecture.layers,
        input_sizes=architecture.input_sizes,
        output_sizes=architecture.output_sizes,
        operations=[
            pb.Operation(kind=operation.kind, space=space_to_wire(operation.space))
            for operation in architecture.operations
        ],
    )


def _architecture_from_wire(wire: pb.Architecture) -> Architecture:
    return Architecture(
        wire.layers if wire.HasField("layers") else None,
        tuple(wire.input_sizes),
        tuple(wire.output_sizes),
        tuple(Operation(one.kind, space_from_wire(one.space)) for one in wire.operations),
    )


# Points and the log.


def _value_to_wire(value: Value) -> pb.Value:
    if isinstance(value, str):
        return pb.Value(text=value)
    if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
        raise Unsupported(f"{value} is a whole number of more than the 64 bits that are sent")
    return pb.Value(whole=value) if isinstance(value, int) else pb.Value(number=value)


def _value_from_wire(wire: pb.Value) -> Value:
    match wire.WhichOneof("value"):
        case "number":
            return wire.number
        case "whole":
            return wire.whole
        case _:
            return wire.text


def point_to_wire(point: Point) -> Iterable[pb.Assignment]:
    return [pb.Assignment(name=name, value=_value_to_wire(value)) for name, value in point.items()]


def point_from_wire(wire: Iterable[pb.Assignment]) -> Point:
    return {assignment.name: _value_from_wire(assignment.value) for assignment in wire}


def proposal_to_wire(proposal: Proposal) -> pb.Proposal:
    return pb.Proposal(
        point=point_to_wire(proposal.point),
        reason=proposal.reason,
        labels=dict(proposal.labels),
        parent=proposal.parent or "",
        name=proposal.name or "",
    )


def proposal_from_wire(wire: pb.Proposal) -> Proposal:
    return Proposal(
        point_from_wire(wire.point),
        wire.reason,
        tuple(sorted(wire.labels.items())),
        wire.parent or None,
        wire.name or None,
    )


def entry_to_wire(entry: Entry) -> pb.Entry:
    match entry:
        case Proposed():
            proposed = pb.Proposed(
                index=entry.index,
                proposal=proposal_to_wire(entry.proposal),
                made_from=entry.made_from,
            )
            return pb.Entry(position=entry.position, proposed=proposed)
        case Finished():
            finished = pb.Finished(
                index=entry.index,
                state=entry.state,
                verdict=VERDICTS[entry.verdict],
                value=entry.value,
                values=[pb.MetricValue(name=name, value=value) for name, value in entry.values],
                deviation=entry.deviation,
            )
            return pb.Entry(position=entry.position, finished=finished)
        case Dropped():
            return pb.Entry(position=entry.position, dropped=pb.Dropped(index=entry.index))


def log_from_wire(wire: Sequence[pb.Entry], after: int, problem: Problem) -> list[Entry]:
    """Read what follows a position of a problem's log.

    Raises:
        Invalid: an entry is malformed, does not follow, or has a point outside the space.
    """
    entries = [entry_from_wire(each) for each in wire]
    for position, entry in enumerate(entries, start=after + 1):
        path = f"entries[{entry.position}]"
        if entry.position != position:
            raise Invalid([Fault(f"{path}.position", f"{position} follows", "send the log whole")])
        if isinstance(entry, Proposed) and not _is_point(problem, entry.proposal.point):
            raise Invalid([Fault(f"{path}.proposal.point", "no point of the search space")])
    return entries


def _is_point(problem: Problem, point: Point) -> bool:
    """Say whether it can be one; of an architecture only the algorithm knows."""
    return problem.architecture is not None or problem.space.contains(point)


def entry_from_wire(wire: pb.Entry) -> Entry:
    """Read an entry of the log.

    Raises:
        Invalid: it is malformed; the fault has its path.
    """
    path = f"entries[{wire.position}]"
    match wire.WhichOneof("entry"):
        case "proposed":
            proposed = wire.proposed
            return Proposed(
                wire.position,
                proposed.index,
                proposal_from_wire(proposed.proposal),
                proposed.made_from,
            )
        case "finished":
            finished = wire.finished
            return Finished(
                wire.position,
                finished.index,
                _known(_TRIAL_STATES, finished.state, f"{path}.state"),
                _known(VERDICTS_BACK, finished.verdict, f"{path}.verdict"),
                finished.value if finished.HasField("value") else None,
                tuple((metric.name, metric.value) for metric in finished.values),
                finished.deviation if finished.HasField("deviation") else None,
            )
        case "dropped":
            return Dropped(wire.position, wire.dropped.index)
        case _:
            raise Invalid([Fault(path, "it is of no known kind")])


def suggestion_to_wire(suggestion: Suggestion, position: int) -> pb.SuggestReply:
    return pb.SuggestReply(
        proposals=[proposal_to_wire(proposal) for proposal in suggestion.proposals],
        state=STATES[suggestion.state],
        note=suggestion.note,
        position=position,
    )


def suggestion_from_wire(wire: pb.SuggestReply) -> Suggestion:
    return Suggestion(
        tuple(proposal_from_wire(proposal) for proposal in wire.proposals),
        _STATES_BACK.get(wire.state, SearchState.MORE),
        wire.note,
    )


def suggest_request(
    problem: Problem, after: int, entries: Iterable[Entry], first_index: int, count: int
) -> pb.SuggestRequest:
    return pb.SuggestRequest(
        problem=problem_to_wire(problem),
        after=after,
        entries=[entry_to_wire(entry) for entry in entries],
        first_index=first_index,
        count=count,
    )
