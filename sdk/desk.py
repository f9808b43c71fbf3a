"""Asking and telling from a process: the experiments of one store, one caller at a time."""

import asyncio
import weakref
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from threading import Thread
from typing import Any, TypeVar

from ..api.asked import Answer
from ..api.compile import answer_seconds, problem
from ..api.errors import Conflict
from ..api.experiment import Experiment
from ..controller.ask_tell import AskTell
from ..controller.ports import WallClock
from ..db.records import ExperimentRecord
from ..db.store import Store
from ..suggestion.suggester import open_suggester
from .sources.place import Place

_T = TypeVar("_T")
_PAGE = 5000
_LOOK_SECONDS = 0.01
_PATIENCE = 120.0
"""Seconds to wait for whoever else asks or tells at this moment."""


class Desk:
    """Asks and tells, from any thread; the algorithms' folds are kept between calls.

    The event loop is one of its own, since a caller may be in one already (a notebook is).
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._held = ExitStack()
        self._store: Store = self._held.enter_context(place.opened())
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="tunewright-ask", daemon=True)
        self._thread.start()
        self._drivers: dict[str, AskTell] = {}
        self.close = weakref.finalize(
            self, _close, self._loop, self._thread, self._drivers, self._held
        )

    def ask(self, record: ExperimentRecord) -> Answer:
        return self._result(self._ask(record))

    def tell(
        self,
        record: ExperimentRecord,
        index: int,
        token: str,
        values: Mapping[str, float],
        failure: str | None,
    ) -> bool:
        return self._result(self._tell(record, index, token, values, failure))

    def settle(self, record: ExperimentRecord) -> None:
        """Carry out what people asked of an experiment that nobody drives."""
        self._result(self._settle(record))

    async def _ask(self, record: ExperimentRecord) -> Answer:
        with await self._turn(record.uid):
            return await self._driver(record).ask()

    async def _tell(
        self,
        record: ExperimentRecord,
        index: int,
        token: str,
        values: Mapping[str, float],
        failure: str | None,
    ) -> bool:
        with await self._turn(record.uid):
            return await self._driver(record).tell(index, token, values, failure=failure)

    async def _settle(self, record: ExperimentRecord) -> None:
        with await self._turn(record.uid):
            await self._driver(record).settle()

    def _driver(self, record: ExperimentRecord) -> AskTell:
        if record.uid not in self._drivers:
            experiment = Experiment.read(record.document)
            searched = problem(experiment, uid=record.uid, seed=record.seed)
            suggester = open_suggester(
                searched,
                lambda after: self._store.history(record.uid, after, _PAGE),
                timeout=answer_seconds(experiment),
            )
            self._drivers[record.uid] = AskTell(self._store, record, suggester, WallClock())
        return self._drivers[record.uid]

    async def _turn(self, uid: str) -> ExitStack:
        """Wait for the experiment's lock; it is given back when the result is left.

        Raises:
            Conflict: another process holds it longer than a turn could take.
        """
        until = self._loop.time() + _PATIENCE
        held = ExitStack()
        while True:
            try:  # without patience: who has the lock may need this thread to give it back
                held.enter_context(self._place.driving(uid, patience=0))
            except Conflict:
                if self._loop.time() > until:
                    raise
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return held

    def _result(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def settle(place: Place, record: ExperimentRecord) -> None:
    """Carry out what people asked of an experiment with `askTell`, once."""
    desk = Desk(place)
    try:
        desk.settle(record)
    finally:
        desk.close()


def _close(
    loop: asyncio.AbstractEventLoop, thread: Thread, drivers: dict[str, AskTell], held: ExitStack
) -> None:
    async def end() -> None:
        for driver in drivers.values():
            await driver.close()

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    held.close()
