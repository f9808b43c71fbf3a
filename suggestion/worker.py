"""Asking an algorithm in a process of its own, which is ended at its time-out.

The worker holds the fold of one experiment. It is sent what is behind its
position; when it crashed or was ended, a new one is given the log from the
start, and gives the same points.
"""

import asyncio
import pickle
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from ..api.errors import PluginBroken, PluginUnavailable
from ..api.history import Suggestion
from ..api.problem import ANSWER_SECONDS, Problem
from .frames import HEADER, Answer, Ask, Learn, Open, pack
from .inline import History
from .interpreter import last_words, start_interpreter
from .session import searched

_PART = 5000  # entries in one frame
_DEATHS = 3
"""After so many workers in a row that died without an answer, the next would die, too."""


class WorkerProcess(Protocol):
    """A process that runs `worker_process`, by whatever way it was started."""

    @property
    def requests(self) -> asyncio.StreamWriter: ...

    @property
    def answers(self) -> asyncio.StreamReader: ...

    async def end(self, grace: float) -> int | None:
        """End it, and return its status, which is negative for a signal.

        It is given `grace` seconds to end by itself. None when nobody can tell how it ended.
        """
        ...


Start: TypeAlias = Callable[[str], Awaitable[WorkerProcess]]
"""Starts a worker for the algorithm of that name."""


class WorkerSuggester:
    """Asks one experiment's algorithm in a worker process.

    `timeout` is in seconds and counts for one call, the start of the worker
    and the rebuilding of its fold included.
    """

    def __init__(
        self,
        history: History,
        *,
        timeout: float = ANSWER_SECONDS,  # the worker is ended, not only awaited no more
        start: Start = start_interpreter,
    ) -> None:
        self._history = history
        self._timeout = timeout
        self._start = start
        self._process: WorkerProcess | None = None
        self._problem: Problem | None = None
        self._position = 0
        self._deaths = 0  # since the last answer
        self._lock = asyncio.Lock()

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        """Ask for up to `count` points, made from the log up to `position` and no further.

        Raises:
            PluginUnavailable: it took too long, or the worker crashed; it is started anew.
            Invalid, MissingExtra, PluginBroken: the algorithm cannot go on.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._suggest(problem, first_index, count, position)
            except TimeoutError:
                await self._end()
                raise PluginUnavailable(
                    f"the algorithm {problem.algorithm} took longer than {self._timeout:g} s "
                    "(spec.algorithm.timeoutSeconds)"
                ) from None
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                status = await self._end(grace=1.0)
                said = f"the worker of the algorithm {problem.algorithm} {_ended(status)}"
                self._deaths += 1
                if self._deaths >= _DEATHS:
                    self._deaths = 0  # who asks again after this has mended it
                    raise PluginBroken(f"{said}: {await _remedy(status)}") from error
                raise PluginUnavailable(said) from error
            except asyncio.CancelledError:
                await self._end()  # its answer would be taken for the next one's
                raise

    @property
    def is_answering(self) -> bool:
        return self._lock.locked()

    async def forget(self) -> None:
        """Begin again at the next question, in the same process."""
        self._problem = None

    async def close(self) -> None:
        """End the worker."""
        await self._end()

    async def _suggest(
        self, problem: Problem, first_index: int, count: int, position: int
    ) -> Suggestion:
        wanted = searched(problem)
        if self._process is None or wanted != self._problem or self._position > position:
            await self._open(wanted)
        while self._position < position:
            entries = await asyncio.to_thread(self._history, self._position)
            known = [entry for entry in entries if entry.position <= position]
            if not known:
                break
            for begin in range(0, len(known), _PART):
                learned = await self._call(Learn(known[begin : begin + _PART]))
                self._position = learned.position
        answer = await self._call(Ask(first_index, count))
        assert answer.suggestion is not None
        return answer.suggestion

    async def _open(self, problem: Problem) -> None:
        if self._process is None:
            self._process = await self._start(problem.algorithm)
        self._problem, self._position = None, 0
        await self._call(Open(problem))
        self._problem = problem

    async def _call(self, request: object) -> Answer:
        process = self._process
        assert process is not None
        process.requests.write(pack(request))
        await process.requests.drain()
        (length,) = HEADER.unpack(await process.answers.readexactly(HEADER.size))
        answer: Any = pickle.loads(await process.answers.readexactly(length))  # noqa: S301  # our own worker
        assert isinstance(answer, Answer)
        self._deaths = 0
        if answer.error is None:
            return answer
        self._problem = None  # the fold may have stopped midway: begin again
        raise answer.error

    async def _end(self, grace: float = 0.0) -> int | None:
        """End the worker and return its status.

        One that has closed its pipe is about to end by itself, and gets `grace` seconds for
        it: killed, it would have the signal for a status instead of its own.
        """
        process, self._process, self._problem = self._process, None, None
        return 0 if process is None else await process.end(grace)


def _ended(status: int | None) -> str:
    """Say how a worker ended."""
    if status is None:
        return "ended, and nobody was left to see how"
    if status >= 0:
        return f"ended with status {status}"
    want = ", perhaps for lack of memory" if -status == signal.SIGKILL else ""
    return f"was killed by signal {-status}{want}"


async def _remedy(status: int | None) -> str:
    """Return what helps a worker that ends so again and again, or what it says of itself."""
    if status == -signal.SIGKILL:
        return "give it more, or run fewer trials at once"
    return await last_words()
