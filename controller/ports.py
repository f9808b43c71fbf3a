"""What the engine needs of the world: trials' workloads, and points.

The store is `db.store.Store`. Implementations: `local` here, `kube` on a
cluster.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ..api.history import Suggestion
from ..api.problem import Problem
from ..db.records import TrialRecord, Usage
from .plan.view import EndReason


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """One attempt of one trial. `token` stands in the environment of all its processes."""

    uid: str
    index: int
    trial: str
    attempt: int
    token: str

    @classmethod
    def last_of(cls, uid: str, trial: TrialRecord) -> "AttemptRef":
        """Return the last attempt of a trial that has one; `uid` is the experiment's."""
        last = trial.attempt
        assert last is not None
        return cls(uid, trial.index, trial.name, last.attempt, last.token)


@dataclass(frozen=True, slots=True)
class Workload:
    """What an attempt runs: the rendered manifest, and what the trial is to know.

    `environment` holds what every container gets (TUNEWRIGHT_*, KATIB_TRIAL_NAME),
    under the template's own. `directory` is the trial's; `workdir` the one in
    which `run` was typed. `private` are directories that the trial must see as
    its own: what it writes there lies below `directory / "files"`. `mounts` are
    directories of this machine, each with the place where the trial must see it.
    """

    ref: AttemptRef
    manifest: Mapping[str, Any]
    primary_container: str
    directory: Path
    workdir: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "default"
    private: tuple[Path, ...] = ()
    mounts: tuple[tuple[Path, Path], ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt's processes run. `pid_started_at` tells this pid from a later one.

    Neither is known of a workload that runs elsewhere.
    """

    ref: AttemptRef
    pid: int | None
    pid_started_at: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the primary container wrote, in order; `stream` is stdout or stderr."""

    ref: AttemptRef
    stream: str
    data: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing of the attempt runs any more, and all its output has been delivered.

    `output` is the end of what the primary container wrote to each stream.
    """

    ref: AttemptRef
    reason: EndReason
    exit_code: int | None
    message: str
    usage: Usage
    at: float
    output: Mapping[str, bytes] = field(default_factory=dict)


Change: TypeAlias = Started | Output | Ended


class Clock(Protocol):
    """Tells the time; waiting is the event loop's."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...


class WallClock:
    """The time of this machine."""

    def now(self) -> float:
        return time.time()


class Workloads(Protocol):
    """Runs attempts. What happens to them comes back through the `on_change` given to it,
    called on the event loop: Started, any Output, then Ended, exactly once each.
    """

    async def start(self, workload: Workload) -> None:
        """Start it. An attempt that runs already is left as it is.

        Raises:
            Retryable: not now (the devices are taken); the message says what it waits for.
            Unsupported: never here; the message says where it can.
        """
        ...

    async def stop(self, ref: AttemptRef, *, grace: float) -> None:
        """Ask it to end (SIGTERM), and end it after its template's grace or `grace` seconds,
        whichever is shorter; returns at once.
        """
        ...

    async def end_strays(self, tokens: Sequence[str]) -> None:
        """End every process that carries one of these tokens, from a run before this one."""
        ...

    async def close(self) -> None:
        """End everything that still runs, and wait for it."""
        ...


class Suggester(Protocol):
    """Asks an algorithm for points, wherever it runs."""

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        """Ask for up to `count` points, made from the log up to `position` and no further.

        Raises:
            Retryable: the service is away or took too long.
            Terminal: the algorithm cannot go on; the message says why.
        """
        ...

    async def close(self) -> None: ...
