"""Where an experiment's algorithm is asked: here, in a worker, or at an endpoint."""

from typing import Protocol

from ..api.history import Suggestion
from ..api.problem import ANSWER_SECONDS, Problem
from . import registry
from .inline import History, InlineSuggester
from .interpreter import start_interpreter
from .worker import Start, WorkerSuggester


class AnySuggester(Protocol):
    """Asks one experiment's algorithm, wherever it runs."""

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion: ...

    async def forget(self) -> None:
        """Begin again at the next question: the log is another one."""
        ...

    async def close(self) -> None: ...


def open_suggester(
    problem: Problem,
    history: History,
    *,
    timeout: float = ANSWER_SECONDS,
    start: Start = start_interpreter,
) -> AnySuggester:
    """Return what asks this problem's algorithm.

    `history` is called in a thread. `timeout` is seconds for one answer; `start` starts a
    worker where one is needed.

    Raises:
        Invalid: no algorithm has that name.
    """
    if problem.endpoint is not None:
        from .client import RemoteSuggester

        return RemoteSuggester(problem.endpoint, history, timeout=timeout)
    if registry.is_quick(problem):
        return InlineSuggester(history)
    return WorkerSuggester(history, timeout=timeout, start=start)
