"""The local engine: load a view, call `plan`, carry out its actions, again.

One event loop drives one experiment. What is decided is `plan`'s; what is
kept is the store's; this loop only fetches and carries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..api.states import ExperimentState
from ..db.store import Store
from .ports import Change, Clock, Suggester, Workloads
from .progress import Observer

WorkloadsFactory: TypeAlias = Callable[[Callable[[Change], None]], Workloads]
"""Makes the runtime; it is given the function to call, on the event loop, with every change."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of the engine ended. `interrupted`: it left before the experiment's end."""

    state: ExperimentState
    reason: str
    message: str
    interrupted: bool


class Engine:
    """Drives one experiment to its end, or until told to leave.

    The caller holds the experiment's lock (one engine each), and closes store
    and suggester afterwards. `home` is the folder below which each trial gets
    its directory; `socket` the wake-up socket's path, None to poll only.
    """

    def __init__(
        self,
        *,
        store: Store,
        uid: str,
        workloads: WorkloadsFactory,
        suggester: Suggester,
        clock: Clock,
        home: Path,
        observer: Observer | None = None,
        socket: Path | None = None,
    ) -> None:
        raise NotImplementedError

    async def run(self) -> Outcome:
        """Drive the experiment.

        Raises:
            StoreUnavailable, StoreUnwritable: the store cannot be written; nothing is left
                running, and what was recorded is whole.
            Invalid: the document in the store does not compile.
        """
        raise NotImplementedError

    def leave(self) -> None:
        """Start nothing more and end what runs, within its grace; a second call: at once.

        Safe from a signal handler of the loop. What was ended runs again at the next run.
        """
        raise NotImplementedError

    def wake(self) -> None:
        """Look at the wishes now."""
        raise NotImplementedError
