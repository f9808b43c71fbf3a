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

from ..api.identity import ExperimentKey
from ..api.observation import Batch, Sample
from ..api.states import TrialState
from ..api.stopping import Stop
from .ledger import Ledger
from .listing import Feed, Found, Query
from .records import (
    Ack,
    AttemptRecord,
    EventRow,
    ExperimentRecord,
    PendingStop,
    Provenance,
    Reporter,
    TrialRecord,
    Wish,
)


class Store(Ledger, Protocol):
    def at_once(self) -> AbstractContextManager[None]:
        """Begin a `group` for a caller that cannot be kept waiting.

        Raises:
            StoreUnavailable: another one writes, or each commit goes to a server or a disk.
        """
        ...

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

    def find_experiments(self, query: Query) -> Found:
        """Return the page of experiments that match, each with its best trial."""
        ...

    def feed(self, namespace: str | None = None) -> Feed:
        """Tell from now on which experiments are written or deleted, by whomever."""
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

    # What people ask of the engine.

    def wish(self, uid: str, verb: str, arguments: Mapping[str, Any], *, now: float) -> Wish:
        """Leave a wish for the engine."""
        ...

    # Observations.

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

    def decide_stop(self, uid: str, stop: Stop, *, now: float) -> None:
        """Write the stop of a trial that was decided after its report was kept.

        Nothing is written where that attempt is over, or has a stop already.
        """
        ...

    def pending_stops(self) -> Sequence[PendingStop]:
        """Return the stops of all experiments that nobody answered, the oldest first."""
        ...

    def forget_samples(self, uid: str, index: int) -> None:
        """Remove a trial's log of all attempts; its end and its value stay."""
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

    def keep_output(self, uid: str, index: int, attempt: int, stream: str, tail: bytes) -> None:
        """Write the end of what an attempt wrote, in place of what was kept before."""
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

        An owner is the token of an attempt, which something may follow after a `/`.
        Returns an empty sequence when they are not free now.
        """
        ...

    def release_devices(self, owner: str) -> None: ...

    def device_holders(self) -> Mapping[str, str | None]:
        """Return each owner of a device with its experiment, None where its attempt is over."""
        ...

    def close(self) -> None: ...
