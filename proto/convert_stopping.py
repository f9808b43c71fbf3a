"""Between the EarlyStopping service of tunewright.v1 and the language of `api/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..api.errors import Fault, Invalid
from ..api.objective import Objective
from ..api.stopping import Progress, Stop, StoppingRule
from . import tunewright_pb2 as pb
from .convert import objective_from_wire, objective_to_wire


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that ended, and its running averages by counts of reports."""

    index: int
    early_stopped: bool
    means: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Running:
    """A running trial: its averages from `first_report` on, and the reports to be judged."""

    index: int
    attempt: int
    first_report: int
    means: Sequence[float]
    reports: Sequence[Progress]


@dataclass(frozen=True, slots=True)
class Question:
    """What a rule is asked about an experiment, from position `after` of its log to `position`."""

    uid: str
    rule: StoppingRule
    objective: Objective
    after: int
    position: int
    ended: Sequence[Ended]
    running: Sequence[Running]


def question_to_wire(question: Question) -> pb.JudgeRequest:
    return pb.JudgeRequest(
        experiment_uid=question.uid,
        rule=rule_to_wire(question.rule),
        objective=objective_to_wire(question.objective),
        after=question.after,
        position=question.position,
        ended=[
            pb.EndedCurve(
                index=each.index,
                early_stopped=each.early_stopped,
                means=each.means,
            )
            for each in question.ended
        ],
        running=[
            pb.RunningCurve(
                index=each.index,
                attempt=each.attempt,
                first_report=each.first_report,
                means=each.means,
                reports=[
                    pb.Progress(report=one.reports, value=one.value, best=one.best, nans=one.nans)
                    for one in each.reports
                ],
            )
            for each in question.running
        ],
    )


def question_from_wire(wire: pb.JudgeRequest) -> Question:
    """Read a request.

    Raises:
        Invalid: it contradicts itself; the fault has the field's path.
    """
    if not 0 <= wire.after <= wire.position:
        raise Invalid([Fault("position", "it lies before `after`")])
    return Question(
        wire.experiment_uid,
        rule_from_wire(wire.rule),
        objective_from_wire(wire.objective),
        wire.after,
        wire.position,
        [Ended(each.index, each.early_stopped, dict(each.means)) for each in wire.ended],
        [_running(each, f"running[{place}]") for place, each in enumerate(wire.running)],
    )


def _running(wire: pb.RunningCurve, path: str) -> Running:
    if wire.first_report < 1:
        raise Invalid([Fault(f"{path}.first_report", "reports count from 1")])
    means = list(wire.means)
    reports = []
    for place, one in enumerate(wire.reports):
        if not 0 <= one.report - wire.first_report < len(means):
            fault = Fault(f"{path}.reports[{place}].report", "its mean is not among `means`")
            raise Invalid([fault])
        mean = means[one.report - wire.first_report]
        report = Progress(wire.index, wire.attempt, one.report, one.value, mean, one.best, one.nans)
        reports.append(report)
    return Running(wire.index, wire.attempt, wire.first_report, means, reports)


def stops_to_wire(stops: Sequence[Stop]) -> pb.JudgeReply:
    return pb.JudgeReply(
        stops=[
            pb.Stop(index=stop.index, attempt=stop.attempt, reason=stop.reason) for stop in stops
        ]
    )


def stops_from_wire(wire: pb.JudgeReply) -> Sequence[Stop]:
    return [Stop(stop.index, stop.attempt, stop.reason) for stop in wire.stops]


def rule_to_wire(rule: StoppingRule) -> pb.StoppingRule:
    return pb.StoppingRule(name=rule.name, settings=rule.settings)


def rule_from_wire(wire: pb.StoppingRule) -> StoppingRule:
    return StoppingRule(wire.name, dict(wire.settings))
