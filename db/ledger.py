"""What a turn reads and writes: on a laptop the store, on a cluster a book of resources.

Several writes that belong to one moment go through `group`: all of them happen, or none.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..api.history import Entry, Finished, Proposal, Proposed
from ..api.observation import Batch, Observation
from ..api.states import ExperimentState, TrialState
from .records import Ack, TrialRecord, Usage, View


class Ledger(Protocol):
    def group(self) -> AbstractContextManager[None]:
        """Make the writing calls of this thread inside it one transaction."""
        ...

    def view(self, uid: str) -> View:
        """Return what is unfinished, and totals of the rest; the best are without attempts."""
        ...

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Return the log entries behind position `after`, in order."""
        ...

    def trial(self, uid: str, index: int) -> TrialRecord: ...

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        """Return the summaries of an attempt, by default the last, without a scan of its log."""
        ...

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]:
        """Keep samples with their summaries, and decide early stops, in one transaction.

        Samples that are kept already (same trial, attempt, source, sequence)
        change nothing. The samples of a trial that is finished are kept and
        flagged late. Batches of unknown trials are refused with NotFound.
        """
        ...

    def set_document(
        self, uid: str, document: Mapping[str, Any], *, version: int, suspended: bool
    ) -> None:
        """Replace the document.

        Raises:
            Conflict: the experiment is no longer at `version`.
        """
        ...

    def set_state(
        self, uid: str, state: ExperimentState, *, reason: str, message: str, now: float
    ) -> None:
        """Pass the experiment through the door; an event is written with it."""
        ...

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
    ) -> Sequence[Proposed]:
        """Record named points as trials `first_index`, … in Created, and in the log.

        Raises:
            Conflict: `first_index` is not the next index (another engine was faster).
        """
        ...

    def start_attempt(self, uid: str, index: int, attempt: int, *, token: str, now: float) -> None:
        """Record, before anything is created, that the attempt is being started."""
        ...

    def attempt_running(
        self,
        uid: str,
        index: int,
        attempt: int,
        *,
        pid: int | None,
        pid_started_at: float | None,
        now: float,
    ) -> None:
        """Record that the workload runs; the trial is Running."""
        ...

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
    ) -> None:
        """Record how the attempt ended, with the end of what it wrote to each stream."""
        ...

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
    ) -> None:
        """Send the trial back to Created for another attempt; `counted` ones use up retries."""
        ...

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
    ) -> Finished:
        """End the trial: its state, its log entry, the totals and the best, in one transaction.

        The value is taken by the objective of the document from the summaries of
        the last attempt; with attempts before it that ended well, it is their mean.
        `own_failure` marks a Failed trial as bad for algorithms, as does a constraint
        that it breaks: it is never best. What betters the best
        by no more than `min_delta` is no improvement. A finished trial is left as it
        is, and its entry returned.
        """
        ...

    def drop_trial(self, uid: str, index: int, *, now: float) -> None:
        """Take a trial out of best, totals of observed ones, and the history."""
        ...
