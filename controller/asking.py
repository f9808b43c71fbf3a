"""Asking an algorithm, and noting what stands against it."""

from dataclasses import replace

from ..api.errors import Retryable, TunewrightError
from ..api.history import SearchState, Suggestion
from ..api.problem import Problem
from .effects import AskFor, Suggested
from .loading import Memory
from .ports import Clock, Suggester


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


def note_answer(memory: Memory, suggestion: Suggestion, finished: int, now: float) -> None:
    """Note what an answer says of the algorithm; it knew of so many trials that had ended."""
    search = replace(
        memory.search,
        asking=0,
        trouble="",
        failure=None,
        state=suggestion.state,
        note=suggestion.note,
    )
    if suggestion.proposals or suggestion.state is SearchState.EXHAUSTED:
        memory.search = replace(search, waits=0, retry_at=None)
        return
    waits = 1 + (search.waits if finished == search.waited_at else 0)
    memory.search = replace(
        search,
        state=SearchState.WAIT,
        waits=waits,
        waited_at=finished,
        retry_at=now + min(60.0, 0.5 * 2**waits),
    )
