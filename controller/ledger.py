"""What a turn reads and writes: the store on a laptop, a book of resources on a cluster.

Each call means what `db.store.Store` says of it.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..api.history import Finished, Proposal, Proposed
from ..api.observation import Batch, Observation
from ..api.states import ExperimentState, TrialState
from ..db.records import Ack, TrialRecord, Usage, View


class Ledger(Protocol):
    def group(self) -> AbstractContextManager[None]: ...

    def view(self, uid: str) -> View: ...

    def trial(self, uid: str, index: int) -> TrialRecord: ...

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation: ...

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]: ...

    def set_document(
        self, uid: str, document: Mapping[str, Any], *, version: int, suspended: bool
    ) -> None: ...

    def set_state(
        self, uid: str, state: ExperimentState, *, reason: str, message: str, now: float
    ) -> None: ...

    def add_event(
        self, uid: str, *, index: int | None, kind: str, reason: str, message: str, now: float
    ) -> None: ...

    def answer_wish(self, uid: str, wish_id: int) -> None: ...

    def answer_stop(self, uid: str, index: int, attempt: int) -> None: ...

    def propose(
        self,
        uid: str,
        first_index: int,
        proposals: Sequence[tuple[str, Proposal]],
        *,
        made_from: int,
        now: float,
    ) -> Sequence[Proposed]: ...

    def start_attempt(
        self, uid: str, index: int, attempt: int, *, token: str, now: float
    ) -> None: ...

    def attempt_running(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        pid: int | None,
        pid_started_at: float | None,
        now: float,
    ) -> None: ...

    def attempt_ended(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        exit_code: int | None,
        reason: str,
        message: str,
        usage: Usage,
        now: float,
        output: Mapping[str, bytes] | None = None,
    ) -> None: ...

    def retry_trial(
        self,
        uid: str,
        index: int,
        *,
        counted: bool,
        retry_at: float,
        reason: str,
        message: str,
        now: float,
    ) -> None: ...

    def finish_trial(
        self,
        uid: str,
        index: int,
        state: TrialState,
        *,
        reason: str,
        message: str,
        own_failure: bool = False,
        min_delta: float = 0.0,
        now: float,
    ) -> Finished: ...

    def drop_trial(self, uid: str, index: int, *, now: float) -> None: ...
