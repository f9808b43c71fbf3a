"""Early stopping by plug-ins, for an engine of this machine."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..db.store import Store

if TYPE_CHECKING:
    from ..api.history import Entry
    from ..api.problem import Problem
    from ..api.stopping import Evaluator, Stop

_PAGE = 5000
_CALLS = 8  # to services of rules at once, so that a slow one holds up no other experiment


class Stopping:
    """The rules of early stopping, for a store; those of plug-ins learn of trials from it.

    Nothing of the plug-ins is there before the first of them is asked. `address` is
    where they find the metrics, where that is not this machine.
    """

    def __init__(self, address: str | None = None) -> None:
        from ..suggestion.early_stopping.registry import Rules

        self.rules = Rules(time.monotonic, self._plugins)
        self._held = ExitStack()
        self._store: Store | None = None
        self._address = address

    @contextmanager
    def reading(self, store: Store) -> Iterator[None]:
        """Let plug-ins learn from the store for the time of a block."""
        self._store = store
        with self._held:
            yield

    def _plugins(self) -> "Evaluator":
        from ..suggestion.early_stopping.endpoints import EndpointRules

        calls = self._held.enter_context(ThreadPoolExecutor(_CALLS, "early-stopping"))
        plugins = EndpointRules(self, time.monotonic, calls)
        self._held.callback(plugins.close)  # ends a call that still waits
        return plugins

    def problem(self, uid: str) -> "Problem":
        from ..api.compile import problem
        from ..api.experiment import Experiment

        assert self._store is not None
        record = self._store.view(uid).experiment
        return problem(Experiment.read(record.document), uid=uid, seed=record.seed)

    def history(self, uid: str, after: int) -> Sequence["Entry"]:
        assert self._store is not None
        return self._store.history(uid, after, _PAGE)

    def stop(self, uid: str, stop: "Stop") -> None:
        assert self._store is not None
        self._store.decide_stop(uid, stop, now=time.time())

    def metrics_address(self) -> str:
        """Serve the metrics on a socket that only this user can reach."""
        if self._address is None:
            from ..db.metrics_service import serve

            assert self._store is not None
            folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="tunewright-"))
            server, _ = serve(self._store, f"unix:{Path(folder) / 'metrics'}")
            self._held.callback(lambda: server.stop(None).wait())
            self._address = f"unix:{Path(folder) / 'metrics'}"
        return self._address
