"""A question to an algorithm, and the smallest that it still answers wrongly."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ...api.errors import TunewrightError
from ...api.history import Entry, Proposed, Suggestion
from ...api.problem import Problem
from ...api.space import Point
from .subject import Subject

_ASKS = 80  # at most, to make a history small


@dataclass(frozen=True, slots=True)
class Question:
    """So many points are asked for after this log."""

    problem: Problem
    entries: tuple[Entry, ...]
    count: int

    @property
    def points(self) -> Sequence[Point]:
        """The points of the log's trials, by index."""
        return [entry.proposal.point for entry in self.entries if isinstance(entry, Proposed)]

    def of(self, indexes: Collection[int]) -> "Question":
        """Return the question with these trials alone, numbered anew."""
        names = {index: place for place, index in enumerate(sorted(indexes))}
        kept: list[Entry] = []
        ends = [0]  # the new log's length, by the old one's
        for entry in self.entries:
            if entry.index in names:
                moved = replace(entry, position=len(kept) + 1, index=names[entry.index])
                if isinstance(moved, Proposed):
                    moved = replace(moved, made_from=ends[moved.made_from])
                kept.append(moved)
            ends.append(len(kept))
        return replace(self, entries=tuple(kept))


Judge: TypeAlias = Callable[[Question, Suggestion], str | None]
"""Says what is wrong with an answer; None when nothing is."""

Check: TypeAlias = Callable[[Subject, Question], Awaitable[str | None]]
"""Asks, and says what is wrong with what comes."""


class Broken(Exception):  # it is what the plug-in is
    """A rule is broken: the text says how, `question` where, and `check` asks it again."""

    def __init__(
        self, text: str, question: Question | None = None, check: Check | None = None
    ) -> None:
        super().__init__(text)
        self.question = question
        self.check = check


async def answer(subject: Subject, question: Question, *, from_start: bool = False) -> Suggestion:
    """Ask one that knows nothing yet; `from_start`: after all that led to the log, as it came."""
    await subject.begin()
    suggester = subject.open(lambda after: question.entries[after:], stateless=True)
    proposed = [entry for entry in question.entries if isinstance(entry, Proposed)]
    asks = {entry.made_from: entry.index for entry in reversed(proposed)} if from_start else {}
    try:
        for position, index in sorted(asks.items()):
            count = sum(entry.made_from == position for entry in proposed)
            await suggester.suggest(question.problem, index, count, position=position)
        return await suggester.suggest(
            question.problem, len(proposed), question.count, position=len(question.entries)
        )
    finally:
        await suggester.close()


def judged_by(judge: Judge) -> Check:
    """Return the check that asks once; an error is a wrong answer too."""

    async def check(subject: Subject, question: Question) -> str | None:
        try:
            return judge(question, await answer(subject, question))
        except TunewrightError as error:
            return str(error)

    return check


async def smallest(subject: Subject, question: Question, check: Check) -> Question | None:
    """Leave out trials for as long as the check complains (Zeller's delta debugging).

    None: asked by itself the question is answered well; it takes the search before it.
    """
    if await check(subject, question) is None:
        return None
    kept, asks = list(range(len(question.points))), _ASKS
    size = len(kept)
    while size and asks:
        for start in range(0, len(kept), size):
            fewer = kept[:start] + kept[start + size :]
            asks -= 1
            if await check(subject, question.of(fewer)) is not None:
                kept = fewer
                break
            if not asks:
                break
        else:
            size //= 2
            continue
        size = min(size, len(kept))
    return question.of(kept)
