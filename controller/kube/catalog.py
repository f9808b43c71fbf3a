"""All experiments of a namespace, or of the cluster, listed once and then watched by a thread.

For a page that people look at: it costs the server one list and one watch, however often
somebody asks, and whoever asks costs what changed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ...api.errors import Expired, TunewrightError
from ...db.listing import Changed
from ...db.records import ExperimentRecord
from .port import Change, Document, Selection, WatchEvent, version_of
from .resources import EXPERIMENTS
from .session import Session

_WATCH_SECONDS = 300
_PAUSE_SECONDS = 2.0
_REMEMBERED = 1000
_MOST_CHANGED = 100


class Catalog:
    """Safe from several threads. `read` makes a record of a document.

    `forget` is told the uid of each experiment that is gone.
    """

    def __init__(
        self,
        session: Session,
        namespace: str | None,
        read: Callable[[Document], ExperimentRecord],
        forget: Callable[[str], None],
    ) -> None:
        self._session = session
        self._selection = Selection(EXPERIMENTS, namespace)
        self._read = read
        self._forget = forget
        self._records: dict[str, ExperimentRecord] = {}
        self._changes: deque[str] = deque(maxlen=_REMEMBERED)  # uids, the latest last
        self._count = 0
        self._trouble: TunewrightError | None = None
        self._answered = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, name="experiments", daemon=True).start()

    def records(self) -> Sequence[ExperimentRecord]:
        """Return all experiments as the server told them last.

        Raises:
            TunewrightError: it does not tell them now.
        """
        self._check()
        with self._lock:
            return tuple(self._records.values())

    def position(self) -> int:
        """Return how many changes there were."""
        self._check()
        with self._lock:
            return self._count

    def changed(self, since: int) -> tuple[Changed, int]:
        """Return what changed behind a position, and the position now."""
        self._check()
        with self._lock:
            fresh = self._count - since
            if fresh > len(self._changes):
                return Changed(more=True), self._count
            uids = dict.fromkeys(list(self._changes)[len(self._changes) - fresh :])
            if len(uids) > _MOST_CHANGED:
                return Changed(more=True), self._count
            records = [self._records[uid] for uid in uids if uid in self._records]
            gone = [uid for uid in uids if uid not in self._records]
            return Changed(records, gone), self._count

    def _check(self) -> None:
        self._answered.wait()
        if self._trouble is not None:
            raise self._trouble

    def _follow(self) -> None:
        version = ""
        while True:
            try:
                version = version or self._list()
                self._trouble = None
                self._answered.set()
                for event in self._session.watch(self._selection, version, _WATCH_SECONDS):
                    version = version_of(event.document)
                    self._take(event)
            except Expired:
                version = ""
            except TunewrightError as error:
                self._trouble = error
                self._answered.set()
                version = ""
                time.sleep(_PAUSE_SECONDS)

    def _list(self) -> str:
        documents, version = self._session.list_at(self._selection)
        records = {record.uid: record for record in map(self._read, documents)}
        with self._lock:
            touched = [
                uid
                for uid in {**self._records, **records}
                if self._records.get(uid) != records.get(uid)
            ]
            gone = self._records.keys() - records.keys()
            self._records = records
            self._note(touched)
        for uid in gone:
            self._forget(uid)
        return version

    def _take(self, event: WatchEvent) -> None:
        if event.change is Change.BOOKMARK:
            return
        uid = event.document["metadata"]["uid"]
        record = None if event.change is Change.DELETED else self._read(event.document)
        with self._lock:
            if record is None:
                self._records.pop(uid, None)
            else:
                self._records[uid] = record
            self._note([uid])
        if record is None:
            self._forget(uid)

    def _note(self, uids: Sequence[str]) -> None:
        self._changes.extend(uids)
        self._count += len(uids)


class CatalogFeed:
    """Implements `listing.Feed`; `complete` adds to a record its best trial."""

    def __init__(
        self, catalog: Catalog, complete: Callable[[ExperimentRecord], ExperimentRecord]
    ) -> None:
        self._catalog = catalog
        self._complete = complete
        self._position: int | None = None

    def read(self) -> Changed:
        if self._position is None:
            self._position = self._catalog.position()
            return Changed()
        changed, self._position = self._catalog.changed(self._position)
        return Changed(list(map(self._complete, changed.records)), changed.gone, changed.more)
