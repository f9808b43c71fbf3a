"""A fold with its position: what a worker, a service or a test holds of one experiment."""

import inspect
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path

from ..api.errors import PluginBroken, TunewrightError
from ..api.history import Entry, SearchState, Suggestion
from ..api.problem import Problem
from ..api.space import Parameter, ParameterKind, Point, Value
from ..api.words import counted
from . import registry


class Session:
    """The fold of one problem at a position of its log.

    What its code raises is PluginBroken to whoever asks.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = searched(problem)
        self.position = 0
        with _blamed(problem.algorithm):
            self._fold = registry.start(self.problem)

    def serves(self, problem: Problem) -> bool:
        """Say whether this is the fold of that problem; its budget may have changed."""
        return searched(problem) == self.problem

    def observe(self, entries: Iterable[Entry]) -> None:
        """Take entries that follow the position, in order; those before it change nothing."""
        with _blamed(self.problem.algorithm):
            for entry in entries:
                if entry.position <= self.position:
                    continue
                if entry.position != self.position + 1:
                    raise ValueError(f"the log goes from {self.position} to {entry.position}")
                self._fold.observe(entry)
                self.position = entry.position

    def suggest(self, first_index: int, count: int) -> Suggestion:
        """Ask for points.

        Raises:
            PluginBroken: the answer holds what it may not.
        """
        if count <= 0:
            return Suggestion(())
        with _blamed(self.problem.algorithm):
            suggestion = plain(self.problem, self._fold.suggest(first_index, count))
            check(self.problem, suggestion, count, self.problem.algorithm)
        return suggestion


@contextmanager
def _blamed(algorithm: str) -> Iterator[None]:
    """Turn what an algorithm raises into PluginBroken."""
    try:
        yield
    except TunewrightError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error} ({_place(algorithm, error)})"
        raise PluginBroken(f"the algorithm {algorithm} fails: {said}") from error


def _place(algorithm: str, error: BaseException) -> str:
    """Say where in the algorithm's module an error was raised, or came through it."""
    frames = traceback.extract_tb(error.__traceback__)
    module = inspect.getfile(type(registry.find(algorithm)))
    at = next((frame for frame in reversed(frames) if frame.filename == module), frames[-1])
    return f"{Path(at.filename).name}, line {at.lineno}"


def plain(problem: Problem, suggestion: Suggestion) -> Suggestion:
    """Return it with Python's own numbers and texts, as the store and the wire hold them.

    Where the parameter is whole so is the number: programs refuse `--layers=3.0`.
    """
    known = problem.space.by_name

    def plain_point(point: Point) -> Point:
        return {name: _plain_value(known.get(name), value) for name, value in point.items()}

    proposals = (replace(each, point=plain_point(each.point)) for each in suggestion.proposals)
    return replace(suggestion, proposals=tuple(proposals))


def _plain_value(parameter: Parameter | None, value: object) -> Value:
    match value:
        case str():
            return str(value)
        case Integral():
            return int(value)
        case Real():
            number = float(value)
            is_whole = parameter is not None and parameter.kind is ParameterKind.INT
            return int(number) if is_whole and number.is_integer() else number
    raise TypeError(f"{value!r} is neither a number nor a text")


def searched(problem: Problem) -> Problem:
    """Return the problem without what may be edited while it is searched."""
    return replace(problem, max_trials=None, parallel_trials=0)


def check(problem: Problem, suggestion: Suggestion, count: int, who: str) -> None:
    """Refuse an answer that is too long, empty without a reason, or outside the space.

    Raises:
        PluginBroken: the message says what was answered.
    """
    if len(suggestion.proposals) > count:
        given = counted(len(suggestion.proposals), "point")
        raise PluginBroken(f"{who} answered {given}, asked for {count}")
    if not suggestion.proposals and suggestion.state is SearchState.MORE:
        raise PluginBroken(f"{who} answered no points and no reason")
    if problem.architecture is not None:
        return  # its points are text that only the algorithm understands
    for proposal in suggestion.proposals:
        if not problem.space.contains(proposal.point):
            raise PluginBroken(f"{who} answered {dict(proposal.point)}, outside the search space")
