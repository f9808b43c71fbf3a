"""Driving an experiment from this process: engine, signals, display, summary."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..api.excerpts import objective_of
from ..api.states import ExperimentState
from ..db.records import ExperimentRecord
from ..db.store import Store
from ..sdk.commands import CALLER
from ..sdk.sources.here import Here
from ..sdk.sources.place import Place
from . import console
from .exits import INTERRUPTED

if TYPE_CHECKING:
    from ..controller.engine import Engine, Outcome
    from ..controller.local.options import LocalOptions
    from ..controller.progress import Observer


@dataclass(frozen=True, slots=True)
class Setting:
    """What was chosen for this run of the engine; it is not kept in the store."""

    options: "LocalOptions"
    fsync: bool = False
    program: str = ""


def drive(place: Place, record: ExperimentRecord, setting: Setting) -> int:
    """Drive it to its end with a display, and sum up; return the exit code.

    Raises:
        Conflict: another engine drives it.
    """
    from . import compose, summary

    objective = objective_of(record.document)
    if setting.program:
        compose.announce(record.document, setting.program)
    with place.driving(record.uid), compose.opened(place, fsync=setting.fsync) as store:
        from .display import make_display

        known = store.experiment(record.key)
        display = make_display(store, known, objective, live=console.is_drawn())
        try:
            with compose.witness(store, record).watching():
                outcome = run_engine(place, store, record, setting, display)
        finally:
            display.close()
        ended = store.experiment(record.key)
        summary.show(Here(place, store), ended, interrupted=outcome.interrupted)
    if outcome.interrupted:
        return INTERRUPTED
    return 0 if outcome.state is ExperimentState.SUCCEEDED else 1


def drive_quietly(place: Place, record: ExperimentRecord) -> None:
    """Let an engine carry out what was asked, without printing anything."""
    from ..api.asked import is_asked
    from ..sdk.desk import settle
    from . import compose

    if is_asked(record.document):
        settle(place, record)
        return
    with place.driving(record.uid), compose.opened(place) as store:
        run_engine(place, store, record, Setting(compose.local_options()), None)


def run_engine(
    place: Place,
    store: Store,
    record: ExperimentRecord,
    setting: Setting,
    observer: "Observer | None",
) -> "Outcome":
    from . import compose

    # The store's thread and the event loop alternate: a switch should not take the usual 5 ms.
    sys.setswitchinterval(0.0005)
    gc.freeze()  # what was imported stays: never look through it for garbage

    async def run() -> "Outcome":
        assembled = compose.engine(place, store, record, setting.options, observer)
        _listen(assembled.engine)
        try:
            return await assembled.engine.run()
        finally:
            await assembled.suggester.close()

    return asyncio.run(run())


def _listen(engine: "Engine") -> None:
    """Leave at Ctrl-C and SIGTERM, and when the caller is gone.

    When the terminal is closed, go on without a display.
    """
    loop = asyncio.get_running_loop()

    def leave() -> None:
        engine.leave()

    def leave_with_caller(caller: int) -> None:
        loop.remove_reader(caller)
        leave()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    if (caller := int(os.environ.pop(CALLER, "-1"))) >= 0:
        loop.add_reader(caller, leave_with_caller, caller)
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]
    loop.add_signal_handler(signal.SIGHUP, _lose, terminals)


def _lose(terminals: Sequence[int]) -> None:
    """Discard what would go to a closed terminal, which would end the run; files get the rest."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def detach_engine(place: Place, record: ExperimentRecord, arguments: Sequence[str]) -> int:
    """Start an engine of its own in the background, and say so; return the exit code."""
    from ..sdk.background import start_engine

    begun = start_engine(place, record, arguments)
    if begun.code is not None:
        console.note(begun.said)
        return begun.code
    console.note(f"{record.key.name} runs in the background (process {begun.pid}).")
    console.note(f"`tunewright watch {record.key.name}` shows it; its output is in {begun.log}")
    return 0
