"""The early-stopping rules that a store is given, those of plug-ins among them."""

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
_CALLS = 8  # to plug-ins at once, so that a slow one delays no other experiment


class Stopping:
    """Evaluates early-stopping rules for a store. Plug-ins' rules read the trials from that store.

    What plug-ins need, threads and a metrics service, is started when the first of them is asked.
    `address` is where they find the metrics; without one they are served on a socket here.
    """

    def __init__(self, address: str | None = None) -> None:
        from ..suggestion.early_stopping.registry import Rules

        self.rules = Rules(time.monotonic, self._plugins)
        self._held = ExitStack()
        self._store: Store | None = None
        self._address = address

    @contextmanager
    def reading(self, store: Store) -> Iterator[None]:
        """Let plug-ins read the store while the block runs."""
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
        """Return where plug-ins find the metrics; serve them on a private socket if nowhere yet."""
        if self._address is None:
            from ..db.metrics_service import serve

            assert self._store is not None
            folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="tunewright-"))
            server, _ = serve(self._store, f"unix:{Path(folder) / 'metrics'}")
            self._held.callback(lambda: server.stop(None).wait())
            self._address = f"unix:{Path(folder) / 'metrics'}"
        return self._address
