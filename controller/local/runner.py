"""Trials on this machine: each attempt's pods as processes, through the guard."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from ...api.errors import Retryable, TunewrightError
from ...db.records import Usage
from ..plan.view import EndReason
from ..ports import AttemptRef, Change, Ended, Workload
from .allotment import allot
from .attempt import Attempt, prepare
from .cgroups import Place, own_places, remove_left
from .devices import Devices
from .options import Leases, LocalOptions
from .processes import Processes
from .strays import end_strays

OnChange = Callable[[Change], None]

log = logging.getLogger(__name__)


class LocalWorkloads:
    """Implements `controller.ports.Workloads` with processes."""

    def __init__(
        self,
        options: LocalOptions,
        leases: Leases,
        on_change: OnChange,
        *,
        places: Callable[[], Sequence[Place]] = own_places,
        is_driven: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Take what to run trials with; `places` are where control groups may be made.

        `is_driven` tells whether an experiment has an engine, by its uid: devices of one
        that has none any more are taken back.
        """
        self._options = options
        self._devices = Devices(leases, options, time.time, is_driven)
        self._on_change = on_change
        self._places = places
        self._processes: Processes | None = None
        self._attempts: dict[AttemptRef, Attempt] = {}

    async def start(self, workload: Workload) -> None:
        if workload.ref in self._attempts:
            return
        prepared = prepare(workload, self._options)
        token = workload.ref.token
        given: Mapping[str, Sequence[str]] = {}
        if prepared.devices:
            given = await asyncio.to_thread(self._devices.take, token, prepared.devices)
        seen = allot(prepared.plan.pods, given)
        attempt = Attempt(
            workload,
            prepared.with_variables({key: self._devices.handed(seen[key]) for key in seen}),
            self._guard(),
            self._places,
            self._on_change,
        )
        self._attempts[workload.ref] = attempt
        attempt.task = asyncio.create_task(self._run(attempt, leased=bool(given)))

    async def stop(self, ref: AttemptRef, *, grace: float) -> None:
        attempt = self._attempts.get(ref)
        if attempt is not None:
            attempt.stop(grace)

    async def end_strays(self, tokens: Sequence[str]) -> None:
        await _end_left(tokens)
        remove_left(self._places(), tokens)
        for token in tokens:
            await asyncio.to_thread(self._devices.give_back, token)

    async def close(self) -> None:
        for attempt in self._attempts.values():
            attempt.stop(0.0)
        tasks = [attempt.task for attempt in self._attempts.values() if attempt.task]
        if tasks:
            await asyncio.wait(tasks)
        if self._processes is not None:
            await self._processes.close()

    async def _run(self, attempt: Attempt, *, leased: bool) -> None:
        """Run it, and tell its end; its devices are free by then, or once the store is back."""
        ended = await self._end_of(attempt)
        token = attempt.ref.token
        again = await self._give_back(token) if leased else None
        self._attempts.pop(attempt.ref, None)
        self._on_change(ended)
        while again is not None:
            await asyncio.sleep(again)
            again = await self._give_back(token)

    async def _give_back(self, token: str) -> float | None:
        """Give the devices of an attempt back; return in how many seconds to try it again."""
        try:
            await asyncio.to_thread(self._devices.give_back, token)
        except Retryable as error:
            return error.after
        except TunewrightError as error:
            log.warning("devices stay reserved: %s", error)
        return None

    async def _end_of(self, attempt: Attempt) -> Ended:
        """Run it to its end, or to what can be said of one; nothing of it runs after that."""
        try:
            ended = await attempt.run()
        except OSError as error:  # no descriptor, no process to be had: perhaps a moment later
            ended = _lost(attempt, str(error))
        except Exception:
            log.exception("attempt %d of %s fails: a bug", attempt.ref.attempt, attempt.ref.trial)
            ended = _lost(attempt, "a bug in Tunewright ended it; the log shows where")
        if ended.reason is EndReason.LOST:
            attempt.stop(0.0)
            await _end_left([attempt.ref.token])
        return ended

    def _guard(self) -> Processes:
        if self._processes is None:
            self._processes = Processes(asyncio.get_running_loop(), self._options.environ)
        return self._processes


async def _end_left(tokens: Sequence[str]) -> None:
    """End what attempts left behind, in a thread if there is one to be had."""
    try:
        await asyncio.to_thread(end_strays, frozenset(tokens))
    except RuntimeError:
        end_strays(frozenset(tokens))


def _lost(attempt: Attempt, message: str) -> Ended:
    return Ended(attempt.ref, EndReason.LOST, None, message, Usage(), time.time())
