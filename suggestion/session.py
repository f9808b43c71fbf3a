"""A fold with its position: what a worker, a service or a test holds of one experiment."""

from collections.abc import Iterable
from dataclasses import replace

from ..api.errors import PluginBroken
from ..api.history import Entry, SearchState, Suggestion
from ..api.problem import Problem
from ..api.words import counted
from . import registry


class Session:
    """The fold of one problem at a position of its log."""

    def __init__(self, problem: Problem) -> None:
        self.problem = searched(problem)
        self.position = 0
        self._fold = registry.start(self.problem)

    def serves(self, problem: Problem) -> bool:
        """Say whether this is the fold of that problem; its budget may have changed."""
        return searched(problem) == self.problem

    def observe(self, entries: Iterable[Entry]) -> None:
        """Take entries that follow the position, in order; those before it change nothing."""
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
        suggestion = self._fold.suggest(first_index, count)
        check(self.problem, suggestion, count, self.problem.algorithm)
        return suggestion


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
