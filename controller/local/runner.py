"""Trials on this machine: each attempt's pods as processes, through the guard."""

import asyncio
import time
from collections.abc import Callable, Sequence

from ...db.records import Usage
from ..plan.view import EndReason
from ..ports import AttemptRef, Change, Ended, Workload
from .attempt import Attempt, prepare
from .cgroups import Place, own_places, remove_left
from .devices import Devices
from .options import Leases, LocalOptions
from .processes import Processes
from .strays import end_strays

OnChange = Callable[[Change], None]


class LocalWorkloads:
    """Implements `controller.ports.Workloads` with processes."""

    def __init__(
        self,
        options: LocalOptions,
        leases: Leases,
        on_change: OnChange,
        *,
        places: Callable[[], Sequence[Place]] = own_places,
    ) -> None:
        """Take what to run trials with; `places` are where control groups may be made."""
        self._options = options
        self._devices = Devices(leases, options, time.time)
        self._on_change = on_change
        self._places = places
        self._processes: Processes | None = None
        self._attempts: dict[AttemptRef, Attempt] = {}

    async def start(self, workload: Workload) -> None:
        if workload.ref in self._attempts:
            return
        prepared = prepare(workload, self._options)
        token = workload.ref.token
        given = self._devices.take(token, prepared.devices) if prepared.devices else {}
        attempt = Attempt(
            workload,
            prepared.with_variables(given),
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
        await asyncio.to_thread(end_strays, frozenset(tokens))
        remove_left(self._places(), tokens)
        for token in tokens:
            self._devices.give_back(token)

    async def close(self) -> None:
        for attempt in self._attempts.values():
            attempt.stop(0.0)
        tasks = [attempt.task for attempt in self._attempts.values() if attempt.task]
        if tasks:
            await asyncio.wait(tasks)
        if self._processes is not None:
            await self._processes.close()

    async def _run(self, attempt: Attempt, *, leased: bool) -> None:
        try:
            ended = await attempt.run()
        except OSError as error:  # no descriptor, no process to be had: perhaps a moment later
            ended = Ended(attempt.ref, EndReason.LOST, None, str(error), Usage(), time.time())
        finally:
            self._attempts.pop(attempt.ref, None)
            if leased:
                self._devices.give_back(attempt.ref.token)
        self._on_change(ended)

    def _guard(self) -> Processes:
        if self._processes is None:
            self._processes = Processes(asyncio.get_running_loop(), self._options.environ)
        return self._processes
