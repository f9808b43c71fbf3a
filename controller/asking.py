"""Asking an algorithm, and noting what stands against it."""

from dataclasses import replace

from ..api.errors import Retryable, TunewrightError
from ..api.problem import Problem
from .loading import Memory
from .ports import Clock, Suggester
from .turn import AskFor, Suggested


async def ask(
    suggester: Suggester, problem: Problem, question: AskFor, memory: Memory, clock: Clock
) -> Suggested | None:
    """Return the answer, to be an event of the next turn; None when there is none.

    Then the search in `memory` says why, and when it is asked again.
    """
    search = memory.search
    try:
        suggestion = await suggester.suggest(
            problem, question.first_index, question.count, position=question.position
        )
    except Retryable as error:
        again = clock.now() + error.after
        memory.search = replace(search, asking=0, trouble=str(error), retry_at=again)
        return None
    except TunewrightError as error:
        memory.search = replace(search, asking=0, failure=str(error))
        return None
    return Suggested(question.first_index, question.position, suggestion)
