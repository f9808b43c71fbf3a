"""What the suggestion service holds of experiments: what answers for each, and may be forgotten.

All of it lives on one event loop in a thread of its own. An answer that takes
longer than its caller waits is ended there, with the worker process that
computes it; the next question finds a new one.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from ..api.errors import Codes, Terminal
from ..api.history import Entry, Suggestion
from ..api.problem import Problem
from . import registry
from .interpreter import start_interpreter
from .nursery import Nursery, is_possible
from .suggester import AnySuggester, open_suggester
from .worker import Start

T = TypeVar("T")

GREATEST = 64
"""Experiments that are held; beyond it the one not asked for longest is forgotten.

The budget is the Deployment's memory, 2 GiB. A worker of the nursery has 5 to 20 MB of its own
where a hundred trials have ended, and up to 25 where a thousand have: 1.6 GB, beside the service
and a nursery that has loaded every library, 250 MB together."""

_UNSHARED = 4
"""An experiment whose worker shares no library with the nursery takes the room of so many: its
worker needs 60 to 120 MB."""

LONGEST_SECONDS = 600.0
"""How long an answer may take where the caller sets no deadline."""

MOST_POINTS = 1_000
"""Points of one answer. Quick algorithms make them on the event loop, where all others wait."""


class SendAll(Terminal):
    """The service does not hold what the request goes on from; its caller is to send it all."""

    codes = Codes(exit=1, http=409, grpc="FAILED_PRECONDITION")


class TooLate(Terminal):
    """Nobody waits for the answer any more."""

    codes = Codes(exit=1, http=504, grpc="DEADLINE_EXCEEDED")


class Held:
    """One experiment: what answers for it, and the part of its log that was sent last."""

    def __init__(self, loop: "Loop", start: Start, weight: int) -> None:
        self._loop = loop
        self._start = start
        self.weight = weight
        self.lock = threading.Lock()
        self.callers = 0
        self._suggester: AnySuggester | None = None
        self._begin = 0
        self._entries: Sequence[Entry] = ()

    def suggest(
        self,
        problem: Problem,
        log: tuple[int, Sequence[Entry]],
        first_index: int,
        count: int,
        context: grpc.ServicerContext,
    ) -> Suggestion:
        """Ask for points, made from a log of which the entries behind a position are given.

        Raises:
            SendAll: what is before them is needed too.
            TooLate: the caller has gone, or its deadline is over.
        """
        begin, entries = log
        if begin == 0 and not (self._begin == 0 and self._entries == entries[: len(self._entries)]):
            self._forget()
        elif begin > 0 and self._suggester is None:
            raise _not_held(begin)
        self._begin, self._entries = begin, entries
        if self._suggester is None:
            self._suggester = open_suggester(
                problem, self._read, timeout=LONGEST_SECONDS, start=self._start
            )
        position = begin + len(entries)
        return self._loop.run(
            self._suggester.suggest(problem, first_index, count, position=position), context
        )

    def close(self) -> None:
        """End what computes it."""
        if self._suggester is not None:
            self._loop.run(self._suggester.close())
            self._suggester = None

    def _forget(self) -> None:
        if self._suggester is not None:
            self._loop.run(self._suggester.forget())

    def _read(self, after: int) -> Sequence[Entry]:
        if after < self._begin:
            raise _not_held(self._begin)
        return self._entries[after - self._begin :]


def _nobody_waits() -> TooLate:
    return TooLate("nobody waits for the answer any more")


def _not_held(position: int) -> SendAll:
    return SendAll(f"position {position} is not held here: send from 0")


class Experiments:
    """What is held, by protocol and experiment; each is used by one call at a time."""

    def __init__(self) -> None:
        self._loop = Loop()
        self._nursery = Nursery() if is_possible() else None
        self._start = start_interpreter if self._nursery is None else self._nursery.start
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    @contextmanager
    def of(self, problem: Problem, api: str) -> Iterator[Held]:
        """Hold one experiment for the time of a block."""
        new = Held(self._loop, self._start, self._weight(problem))
        with self._lock:
            held = self._held.setdefault((api, problem.uid), new)
            self._held.move_to_end((api, problem.uid))
            held.callers += 1
        try:
            with held.lock:
                yield held
        finally:
            self._leave(held)

    def close(self) -> None:
        """Forget everything, and end what computes it."""
        for held in self._held.values():
            held.close()
        if self._nursery is not None:
            self._loop.run(self._nursery.close())
        self._loop.close()

    def _weight(self, problem: Problem) -> int:
        shares = self._nursery is not None and problem.algorithm in registry.BUILT_IN
        return 1 if shares else _UNSHARED

    def _leave(self, left: Held) -> None:
        with self._lock:
            left.callers -= 1
            gone = self._make_room()
        for held in gone:
            held.close()

    def _make_room(self) -> Sequence[Held]:
        """Take out what is too much, the longest unasked first; what is being asked now stays."""
        weight = sum(held.weight for held in self._held.values())
        gone = []
        for key in [key for key, held in self._held.items() if held.callers == 0]:
            if weight <= GREATEST:
                break
            gone.append(self._held.pop(key))
            weight -= gone[-1].weight
        return gone


class Loop:
    """An event loop in a thread of its own, and calls into it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="suggestions", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], context: grpc.ServicerContext | None = None) -> T:
        """Run it, and wait; it is cancelled where the call of `context` ends before it.

        What nobody waits for any more is not begun: it may not give way once it is.
        """
        if context is not None and not context.is_active():
            work.close()
            raise _nobody_waits()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)

        def end() -> None:
            future.cancel()

        if context is not None and not context.add_callback(end):
            end()
        try:
            return future.result()
        except CancelledError:
            raise _nobody_waits() from None

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
