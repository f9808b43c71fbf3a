"""The store: the port, and what every implementation must keep.

One store serves SQLite, PostgreSQL and MySQL (`sql.open_store`). The calls are
synchronous and safe from several threads; every writing call is one transaction
and may be repeated: what is there already is left as it is. A transaction that
loses against another process is tried again inside; a caller sees
`StoreUnavailable`, `StoreUnwritable`, `NotFound` or `Conflict`, never a
driver's error.

Several writes that belong to one moment of the engine go through `group`: one
commit for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..api.history import Entry, Finished, Proposal, Proposed
from ..api.identity import ExperimentKey
from ..api.observation import Batch, Observation, Sample
from ..api.states import ExperimentState, TrialState
from .records import (
    Ack,
    AttemptRecord,
    EventRow,
    ExperimentRecord,
    PendingStop,
    Provenance,
    Reporter,
    TrialRecord,
    Usage,
    View,
    Wish,
)


class Store(Protocol):
    # The life of an experiment.

    def create_experiment(
        self,
        key: ExperimentKey,
        document: Mapping[str, Any],
        *,
        seed: int,
        workdir: str,
        now: float,
        uid: str | None = None,
    ) -> ExperimentRecord:
        """Write a new experiment, Created.

        Raises:
            Conflict: the key is taken.
        """
        ...

    def experiment(self, key: ExperimentKey) -> ExperimentRecord:
        """Return it, its best few trials included.

        Raises:
            NotFound: nothing has that key.
        """
        ...

    def experiments(
        self, *, name: str | None = None, namespace: str | None = None
    ) -> Sequence[ExperimentRecord]:
        """Return those with that name, in that namespace, newest first, without `best`."""
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

    def add_active_seconds(self, uid: str, seconds: float) -> None:
        """Count time in which an engine drove the experiment and it was not suspended."""
        ...

    def delete_experiment(self, uid: str) -> None:
        """Remove it with everything below it, observations included."""
        ...

    def mirror_experiment(self, record: ExperimentRecord, *, now: float) -> ExperimentRecord:
        """Write an experiment whose truth is elsewhere, under its uid; return it as it is here.

        Its document is written when its version is newer, its state is not. Another
        one with its key was deleted where the truth is: it keeps its rows, and loses
        its name.
        """
        ...

    # The life of a trial. `index` counts from 0.

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

    # What the engine reads.

    def view(self, uid: str) -> View:
        """Return what is unfinished, and totals of the rest; the best are without attempts."""
        ...

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Return the log entries behind position `after`, in order."""
        ...

    def wish(self, uid: str, verb: str, arguments: Mapping[str, Any], *, now: float) -> Wish:
        """Leave a wish for the engine."""
        ...

    def answer_wish(self, uid: str, wish_id: int) -> None: ...

    def answer_stop(self, uid: str, index: int, attempt: int) -> None: ...

    def add_event(
        self, uid: str, *, index: int | None, kind: str, reason: str, message: str, now: float
    ) -> None: ...

    def group(self) -> AbstractContextManager[None]:
        """Make the writing calls of this thread inside it one transaction."""
        ...

    # Observations.

    def record(self, batches: Sequence[Batch], *, now: float) -> Sequence[Ack]:
        """Keep samples with their summaries, and decide early stops, in one transaction.

        Samples that are kept already (same trial, attempt, source, sequence)
        change nothing. The samples of a trial that is finished are kept and
        flagged late. Batches of unknown trials are refused with NotFound.
        """
        ...

    def append(self, batch: Batch, *, now: float) -> Ack:
        """Keep samples that came without a sequence, behind what their source holds."""
        ...

    def note_reporter(
        self, uid: str, index: int, attempt: int, reporter: Reporter, *, now: float
    ) -> Ack:
        """Write down what a reporter says of itself, in place of what it said before."""
        ...

    def reporters(self, uid: str, index: int, attempt: int) -> Sequence[Reporter]:
        """Return all reporters of an attempt, the first to be heard first."""
        ...

    def pending_stops(self) -> Sequence[PendingStop]:
        """Return the stops of all experiments that nobody answered, the oldest first."""
        ...

    def forget_samples(self, uid: str, index: int) -> None:
        """Remove a trial's log of all attempts; its end and its value stay."""
        ...

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        """Return the summaries of an attempt, by default the last, without a scan of its log."""
        ...

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
    ) -> Iterable[Sample]:
        """Return an attempt's log in order of time, then arrival."""
        ...

    def objective_samples(
        self, uid: str, *, since: float | None = None
    ) -> Iterable[tuple[int, Sample]]:
        """Return the objective's samples of all trials of an experiment, with their index."""
        ...

    # What people read.

    def trials(
        self,
        uid: str,
        *,
        states: Sequence[TrialState] | None = None,
        after: int = -1,
        limit: int | None = None,
        newest_first: bool = False,
        observations: bool = False,
    ) -> Sequence[TrialRecord]:
        """Return trials by index, those behind `after` (before it when newest first)."""
        ...

    def trial(self, uid: str, index: int) -> TrialRecord: ...

    def best_trials(self, uid: str, limit: int) -> Sequence[TrialRecord]:
        """Return the best trials by the objective, the best first, with their observations."""
        ...

    def find_trial(self, name: str, namespace: str | None = None) -> tuple[str, int]:
        """Return uid and index of the trial with that name, in a namespace the newest.

        Raises:
            NotFound: no trial has it.
            Conflict: trials of several namespaces have it, and none was named.
        """
        ...

    def attempts(self, uid: str, index: int) -> Sequence[AttemptRecord]: ...

    def output(self, uid: str, index: int, attempt: int, stream: str) -> bytes:
        """Return the end of what the attempt wrote to `stdout` or `stderr`."""
        ...

    def events(self, uid: str, *, after: float = 0.0, limit: int = 100) -> Sequence[EventRow]:
        """Return the latest events, oldest first."""
        ...

    # Which code was run.

    def note_provenance(self, uid: str, found: Provenance) -> None:
        """Write down which code the trials run that start at its time or later."""
        ...

    def provenance(self, uid: str) -> Sequence[Provenance]:
        """Return what was written down, oldest first."""
        ...

    # Devices are leased here, so that two engines never share one.

    def lease_devices(
        self, owner: str, wanted: int, *, inventory: Sequence[str], shares: int, now: float
    ) -> Sequence[str]:
        """Lease `wanted` different devices of `inventory`, each to at most `shares` owners.

        Returns an empty sequence when they are not free now.
        """
        ...

    def release_devices(self, owner: str) -> None: ...

    def device_owners(self) -> Mapping[str, Sequence[str]]: ...

    def close(self) -> None: ...
