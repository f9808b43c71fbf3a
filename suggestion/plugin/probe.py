"""What the rules ask with: search spaces, an objective, and a search whose log is in memory."""

import contextlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from functools import cache

from ...api.checkpoint import TRIAL_DIR
from ...api.errors import TunewrightError
from ...api.fidelity import GREATEST, NAME, widened
from ...api.history import Entry, Finished, Proposal, Proposed, Suggestion, Verdict
from ...api.objective import Direction, Metric, Objective, Strategy
from ...api.problem import Problem
from ...api.space import (
    Distribution,
    Parameter,
    ParameterCondition,
    ParameterKind,
    Point,
    SearchSpace,
    Value,
)
from ...api.states import TrialState
from .. import registry
from ..suggester import AnySuggester
from .question import Broken, Judge, Question, judged_by
from .subject import Subject

BY_TWOS = 2

_RICH = SearchSpace(
    (
        Parameter("x", ParameterKind.DOUBLE, Decimal(-1), Decimal(2)),
        Parameter(
            "rate",
            ParameterKind.DOUBLE,
            Decimal("0.00001"),
            Decimal("0.1"),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("layers", ParameterKind.INT, Decimal(1), Decimal(9), Decimal(2)),
        Parameter("drop", ParameterKind.DOUBLE, Decimal("0.1"), Decimal("0.9"), Decimal("0.1")),
        Parameter("batch", ParameterKind.DISCRETE, choices=("16", "32", "64.0")),
        Parameter("optimizer", ParameterKind.CATEGORICAL, choices=("sgd", "adam", "lion")),
    )
)
_GRIDS = (
    (ParameterKind.DOUBLE, None),
    (ParameterKind.DOUBLE, Decimal("0.5")),
    (ParameterKind.INT, Decimal(1)),
    (ParameterKind.INT, Decimal(4)),
)
_DISTRIBUTED = SearchSpace(
    tuple(
        Parameter(f"{distribution}-{place}", kind, Decimal(1), Decimal(65), step, (), distribution)
        for distribution in Distribution
        for place, (kind, step) in enumerate(_GRIDS)
    )
)
_SMALL = SearchSpace(
    (
        Parameter("a", ParameterKind.INT, Decimal(1), Decimal(3), Decimal(1)),
        Parameter("b", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("0.5")),
        Parameter("c", ParameterKind.CATEGORICAL, choices=("x", "y")),
    )
)
_SINGLE = SearchSpace(
    (
        Parameter("a", ParameterKind.INT, Decimal(4), Decimal(4), Decimal(1)),
        Parameter("b", ParameterKind.DOUBLE, Decimal("0.5"), Decimal("0.5")),
        Parameter("c", ParameterKind.CATEGORICAL, choices=("x",)),
    )
)
_FIXED = SearchSpace(
    (
        Parameter("a", ParameterKind.INT, Decimal(9), Decimal(9)),
        Parameter(
            *("b", ParameterKind.DOUBLE, Decimal("0.1"), Decimal("0.1"), Decimal("0.5")),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("c", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),
        Parameter(
            *("d", ParameterKind.DOUBLE, Decimal("-0.5"), Decimal("-0.5")),
            distribution=Distribution.NORMAL,
        ),
    )
)
_CONDITIONAL = SearchSpace(
    (
        Parameter("momentum", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),  # before its list
        Parameter("optimizer", ParameterKind.CATEGORICAL, choices=("adam", "sgd", "lion")),
        Parameter(
            "rate",
            ParameterKind.DOUBLE,
            Decimal("0.00001"),
            Decimal("0.1"),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("layers", ParameterKind.DISCRETE, choices=("1", "2", "3")),
        Parameter("width1", ParameterKind.INT, Decimal(1), Decimal(64), Decimal(1)),
        Parameter("width2", ParameterKind.INT, Decimal(1), Decimal(64), Decimal(1)),
        Parameter("skips", ParameterKind.CATEGORICAL, choices=("no", "yes")),
        Parameter("share", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("0.25")),
    ),
    (
        ParameterCondition("momentum", "optimizer", ("sgd", "lion")),
        ParameterCondition("width2", "layers", ("2", "3")),
        ParameterCondition("skips", "layers", ("3",)),
        ParameterCondition("share", "skips", ("yes",)),
    ),
)
_SMALL_CONDITIONAL = SearchSpace(
    (
        Parameter("a", ParameterKind.CATEGORICAL, choices=("x", "y", "z")),
        Parameter("b", ParameterKind.INT, Decimal(1), Decimal(3), Decimal(1)),
        Parameter("c", ParameterKind.DISCRETE, choices=("1", "2")),
        Parameter("d", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("0.5")),
        Parameter("e", ParameterKind.INT, Decimal(1), Decimal(2), Decimal(1)),
    ),
    (
        ParameterCondition("b", "a", ("y",)),
        ParameterCondition("c", "a", ("y", "z")),
        ParameterCondition("d", "c", ("2",)),
    ),
)
SPACES: Mapping[str, SearchSpace] = {
    "every kind": _RICH,
    "every distribution": _DISTRIBUTED,
    "a few points": _SMALL,
    "one point": _SINGLE,
    "ranges of one value": _FIXED,
    "conditions": _CONDITIONAL,
    "a few points with conditions": _SMALL_CONDITIONAL,
}


def problem_of(space: SearchSpace, algorithm: str, *, seed: int = 1, uid: str = "") -> Problem:
    settings = _settings(space, algorithm)
    return Problem(
        experiment=f"conformance-{seed}",
        uid=uid or f"conformance-{algorithm}-{len(space.parameters)}-{seed}",
        space=widened(space, settings),
        objective=Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE),
        algorithm=algorithm,
        settings=settings,
        seed=seed,
    )


def _settings(space: SearchSpace, algorithm: str) -> Mapping[str, str]:
    """Return what an algorithm cannot do without: a resource, or a population."""
    if algorithm not in registry.names():
        return {}
    names = {setting.name for setting in registry.find(algorithm).settings}
    if TRIAL_DIR in names:
        return {TRIAL_DIR: "/checkpoint", "n_population": "5", "truncation_threshold": "0.4"}
    whole = next((each for each in space.parameters if each.kind is ParameterKind.INT), None)
    if NAME not in names or whole is None:
        return {}
    return {NAME: whole.name, GREATEST: str(whole.high)}


def loss_of(point: Point) -> float:
    """Return a smooth objective of any space: the lower each number, the better, down to 1."""
    return sum((_number(value) - 1) ** 2 for value in point.values())


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return float(len(str(value)))


def best(points: Sequence[Point]) -> float:
    return min(map(loss_of, points))


@cache
def random_points(space: SearchSpace, seed: int, count: int) -> Sequence[Point]:
    """Return what random search proposes; fewer where the space has no more."""
    fold = registry.start(problem_of(space, "random", seed=seed))
    return tuple(proposal.point for proposal in fold.suggest(0, count).proposals)


class Trials:
    """The log of a search under examination."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.points: list[Point] = []

    def after(self, position: int) -> Sequence[Entry]:
        return self.entries[position:]

    def question_of(self, index: int, problem: Problem, count: int) -> Question:
        """Return the question that trial `index` was an answer to."""
        born = next(e for e in self.entries if isinstance(e, Proposed) and e.index == index)
        return Question(problem, tuple(self.entries[: born.made_from]), count)

    def propose(self, proposals: Sequence[Proposal]) -> None:
        made_from = len(self.entries)
        for proposal in proposals:
            index = len(self.points)
            self.entries.append(Proposed(len(self.entries) + 1, index, proposal, made_from))
            self.points.append(proposal.point)

    def finish(self, index: int, value: float | None, verdict: Verdict = Verdict.OBSERVED) -> None:
        state = {
            Verdict.OBSERVED: TrialState.SUCCEEDED,
            Verdict.BAD: TrialState.FAILED,
            Verdict.NOTHING: TrialState.KILLED,
        }[verdict]
        position = len(self.entries) + 1
        self.entries.append(Finished(position, index, state, verdict, value))

    def finish_mixed(self, index: int) -> None:
        """End a trial as its index says: most succeed, some fail, are killed, or go on."""
        match index % 7:
            case 3:
                self.finish(index, math.nan, Verdict.BAD)
            case 4:
                self.finish(index, None, Verdict.BAD)
            case 5:
                self.finish(index, None, Verdict.NOTHING)
            case 6:
                pass  # pending for ever
            case _:
                self.finish(index, loss_of(self.points[index]))


@contextlib.asynccontextmanager
async def asking(
    subject: Subject, trials: Trials, *, stateless: bool = False
) -> AsyncIterator[AnySuggester]:
    suggester = subject.open(trials.after, stateless=stateless)
    try:
        yield suggester
    finally:
        await suggester.close()


async def demand(
    suggester: AnySuggester, problem: Problem, trials: Trials, count: int, judge: Judge
) -> Suggestion:
    """Ask for points, and take no wrong answer.

    Raises:
        Broken: with the question that was answered wrongly.
    """
    question = Question(problem, tuple(trials.entries), count)
    try:
        suggestion = await suggester.suggest(
            problem, len(trials.points), count, position=len(trials.entries)
        )
    except TunewrightError as error:
        raise Broken(str(error), question, judged_by(judge)) from error
    complaint = judge(question, suggestion)
    if complaint is not None:
        raise Broken(complaint, question, judged_by(judge))
    return suggestion


def nothing(_question: Question, _suggestion: Suggestion) -> str | None:
    """Find nothing wrong with an answer that came."""
    return None


async def search(
    subject: Subject, problem: Problem, rounds: int, judge: Judge, *, forgetful: bool = False
) -> Trials:
    """Search by twos; a forgetful search begins anew as often as the subject bears it.

    Before which calls differs from space to space.
    """
    trials = Trials()
    suggester = subject.open(trials.after, stateless=forgetful)
    try:
        for asked in range(rounds):
            due = (asked + len(problem.space.parameters)) % subject.calls_a_restart == 0
            if forgetful and due:
                await suggester.close()
                await subject.restart()
                suggester = subject.open(trials.after, stateless=True)
            suggestion = await demand(suggester, problem, trials, BY_TWOS, judge)
            first = len(trials.points)
            trials.propose(suggestion.proposals)
            for index in range(first, len(trials.points)):
                trials.finish_mixed(index)
    finally:
        await suggester.close()
    return trials
