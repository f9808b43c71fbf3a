"""The workers of many experiments: of those that nobody asks now, only so many stay alive."""

from collections import OrderedDict

from ..api.history import Suggestion
from ..api.problem import ANSWER_SECONDS, Problem
from .inline import History
from .suggester import AnySuggester, open_suggester
from .worker import Start, WorkerSuggester

MOST = 48
"""What 2 GiB hold, those of the Deployment that does everything: a worker has up to 25 MB of its
own where a thousand trials have ended, and operator, metrics and nursery have 600 together."""


class Crowd:
    """Opens what asks algorithms. Beyond `most` workers the one not asked for longest is ended.

    The next question to it starts a worker anew, which is given the log from the start.
    """

    def __init__(self, start: Start, most: int = MOST) -> None:
        self._start = start
        self._most = most
        self._kept: OrderedDict[WorkerSuggester, None] = OrderedDict()

    def open(
        self, problem: Problem, history: History, *, timeout: float = ANSWER_SECONDS
    ) -> AnySuggester:
        """Return what asks this problem's algorithm, as `suggester.open_suggester` does."""
        opened = open_suggester(problem, history, timeout=timeout, start=self._start)
        return _Member(self, opened) if isinstance(opened, WorkerSuggester) else opened

    async def keep(self, asked: WorkerSuggester) -> None:
        """Note that this one was asked last; where there are too many, end the longest unasked."""
        self._kept[asked] = None
        self._kept.move_to_end(asked)
        for each in [*self._kept]:
            if len(self._kept) <= self._most:
                break
            if not each.is_answering:
                self.leave(each)
                await each.close()

    def leave(self, suggester: WorkerSuggester) -> None:
        """Forget one that was closed."""
        self._kept.pop(suggester, None)


class _Member:
    """A suggester that tells its crowd whenever it was asked, and when it is closed."""

    def __init__(self, crowd: Crowd, suggester: WorkerSuggester) -> None:
        self._crowd = crowd
        self._suggester = suggester

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        try:
            return await self._suggester.suggest(problem, first_index, count, position=position)
        finally:
            await self._crowd.keep(self._suggester)

    async def forget(self) -> None:
        await self._suggester.forget()

    async def close(self) -> None:
        self._crowd.leave(self._suggester)
        await self._suggester.close()
