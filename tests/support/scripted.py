"""Workloads that follow a script instead of running anything: for tests of the engine alone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tunewright.controller.plan.view import EndReason
from tunewright.controller.ports import AttemptRef, Change, Ended, Output, Started, Workload
from tunewright.db.records import Usage

PID = 4711
NOTHING_USED = Usage()


@dataclass(frozen=True)
class Run:
    """What an attempt does: print lines, and exit, or stay until it is stopped."""

    lines: Sequence[str] = ()
    exit_code: int = 0
    stays: bool = False
    usage: Usage = NOTHING_USED
    refuses: Exception | None = None


Script = Callable[[Workload], Run]


@dataclass
class Scripted:
    """Implements `Workloads`; `history` tells what was asked of it, `most` how many ran at once."""

    script: Script
    on_change: Callable[[Change], None]
    history: list[tuple[str, str, int]] = field(default_factory=list)
    active: dict[AttemptRef, Workload] = field(default_factory=dict)
    most: int = 0
    strays: list[str] = field(default_factory=list)

    async def start(self, workload: Workload) -> None:
        run = self.script(workload)
        if run.refuses is not None:
            raise run.refuses
        ref = workload.ref
        self.history.append(("start", ref.trial, ref.attempt))
        self.active[ref] = workload
        self.most = max(self.most, len(self.active))
        loop = asyncio.get_running_loop()
        loop.call_soon(self.on_change, Started(ref, PID, 1.0, 1.0))
        for line in run.lines:
            data = f"{line}\n".encode()
            loop.call_soon(self.on_change, Output(ref, "stdout", data, 2.0))
        if not run.stays:
            loop.call_soon(self.end, ref, run.exit_code, None, run.usage)

    def end(
        self,
        ref: AttemptRef,
        code: int | None,
        reason: EndReason | None = None,
        usage: Usage = NOTHING_USED,
    ) -> None:
        if self.active.pop(ref, None) is None:
            return
        why = reason or (EndReason.COMPLETED if code == 0 else EndReason.FAILED)
        self.on_change(Ended(ref, why, code, f"exit code {code}", usage, 3.0))

    async def stop(self, ref: AttemptRef, *, grace: float) -> None:
        self.history.append(("stop", ref.trial, ref.attempt))
        asyncio.get_running_loop().call_soon(self.end, ref, 143, EndReason.STOPPED)

    async def end_strays(self, tokens: Sequence[str]) -> None:
        self.strays += tokens

    async def close(self) -> None:
        for ref in tuple(self.active):
            self.end(ref, None, EndReason.STOPPED)
