"""What people read of experiments: from a store, or from the resources of a cluster.

Each call means what `db.store.Store` says of it.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..api.history import Entry
from ..api.identity import ExperimentKey
from ..api.observation import Observation, Sample
from ..api.states import TrialState
from ..db.listing import Feed, Found, Query
from ..db.records import (
    AttemptRecord,
    EventRow,
    ExperimentRecord,
    Provenance,
    TrialRecord,
    View,
)


class Records(Protocol):
    def experiments(
        self, *, name: str | None = None, namespace: str | None = None
    ) -> Sequence[ExperimentRecord]: ...

    def find_experiments(self, query: Query) -> Found: ...

    def feed(self, namespace: str | None = None) -> Feed: ...

    def experiment(self, key: ExperimentKey) -> ExperimentRecord: ...

    def view(self, uid: str) -> View: ...

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]: ...

    def trials(
        self,
        uid: str,
        *,
        states: Sequence[TrialState] | None = None,
        after: int = -1,
        limit: int | None = None,
        newest_first: bool = False,
        observations: bool = False,
    ) -> Sequence[TrialRecord]: ...

    def trial(self, uid: str, index: int) -> TrialRecord: ...

    def best_trials(self, uid: str, limit: int) -> Sequence[TrialRecord]: ...

    def find_trial(self, name: str, namespace: str | None = None) -> tuple[str, int]: ...

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation: ...

    def samples(
        self,
        uid: str,
        index: int,
        *,
        metric: str | None = None,
        since: float | None = None,
        until: float | None = None,
        attempt: int | None = None,
        limit: int | None = None,
    ) -> Iterable[Sample]: ...

    def attempts(self, uid: str, index: int) -> Sequence[AttemptRecord]: ...

    def events(self, uid: str, *, after: float = 0.0, limit: int = 100) -> Sequence[EventRow]: ...

    def provenance(self, uid: str) -> Sequence[Provenance]: ...
