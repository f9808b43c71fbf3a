"""What the store hands out: rows as values. Times are seconds since the epoch, UTC."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..api.history import Proposal, Verdict
from ..api.identity import ExperimentKey
from ..api.observation import Observation
from ..api.states import ExperimentState, TrialState


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts that are kept in the transaction that ends a trial, never recounted.

    `observed` counts finished trials with a value of the objective;
    `since_improvement` the finished ones since the best was found. `unbegun` trials were
    ended before they had an attempt: no state counts them, and they use up no budget.
    """

    proposed: int = 0
    by_state: Mapping[TrialState, int] = field(default_factory=dict)
    observed: int = 0
    since_improvement: int = 0
    dropped: int = 0
    position: int = 0
    unbegun: int = 0

    def of(self, state: TrialState) -> int:
        return self.by_state.get(state, 0)

    @property
    def finished(self) -> int:
        return sum(count for state, count in self.by_state.items() if state.is_finished)


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """An experiment: its document as it stands (defaults written), and where it is."""

    uid: str
    key: ExperimentKey
    document: Mapping[str, Any]
    version: int
    state: ExperimentState
    reason: str
    message: str
    seed: int
    workdir: str
    suspended: bool
    created_at: float
    started_at: float | None
    finished_at: float | None
    active_seconds: float
    totals: Totals
    best: tuple["TrialRecord", ...] = ()


class AttemptState(StrEnum):
    STARTING = "starting"  # recorded; a process may or may not exist
    RUNNING = "running"
    ENDED = "ended"


COMPLETED = "Completed"
"""The reason of an attempt that ended well."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used, for all its processes together; 0 where it was not measured."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    device_seconds: float = 0.0

    @property
    def measured(self) -> Mapping[str, float]:
        """What is known of it: of a pod, and of what a person ran, the time alone."""
        if self.cpu_seconds:
            return asdict(self)
        return {"wall_seconds": self.wall_seconds} if self.wall_seconds else {}


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One start of a trial's workload. `token` stands in the environment of all its processes.

    `ran_at` is when it ran, where that is not when it was started: a pod may wait for a place.
    """

    attempt: int
    state: AttemptState
    token: str
    pid: int | None = None
    pid_started_at: float | None = None
    started_at: float | None = None
    ran_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class StopRow:
    """An early stop that was decided, and may or may not have been carried out."""

    index: int
    attempt: int
    reason: str
    decided_at: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """An experiment without a resource, and since when that is known."""

    uid: str
    namespace: str
    since: float


@dataclass(frozen=True, slots=True)
class PendingStop:
    """An early stop that nobody answered yet, of a trial that has not ended."""

    uid: str
    index: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reporter:
    """A source of an attempt's metrics, and what it said of itself.

    `heard_at` is when it last spoke. `seen` are names with a number among what it
    read, `dropped` counts lines that it had no room for, and `done` says that nothing
    more will come.
    """

    source: str
    heard_at: float | None = None
    seen: tuple[str, ...] = ()
    dropped: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as it stands, with its last attempt.

    `value` is the objective's, from the end of the trial on; `observation`
    holds the summaries of the last attempt when it was asked for, `earlier`
    those of attempts before it that ended well (while the trial is unfinished).
    `deviation` is the value's, where the point ran several times; `verdict` is what
    the end tells an algorithm.
    """

    index: int
    name: str
    state: TrialState
    reason: str
    message: str
    proposal: Proposal
    made_from: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    value: float | None
    attempt: AttemptRecord | None
    retries: int = 0
    retry_at: float | None = None
    dropped: bool = False
    stop: StopRow | None = None
    observation: Observation | None = None
    earlier: tuple[Observation, ...] = ()
    deviation: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Something a person asked of a running engine, in the order of asking.

    `verb` is one of `pause`, `resume`, `stop`, `trial-stop`, `trial-retry`,
    `trial-drop`, `trial-add`, `edit`; `arguments` are the verb's.
    """

    id: int
    verb: str
    arguments: Mapping[str, Any]
    asked_at: float


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of what happened, for people. `index` is None for the experiment itself."""

    at: float
    index: int | None
    kind: str  # Normal | Warning, as Kubernetes has it
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The code of the trials that started at `at` or later; empty is what nobody knows.

    `commit` is git's, `changed` says that a file of its tree differed; `digest`
    is the SHA-256 of the script that the command names.
    """

    at: float
    commit: str = ""
    changed: bool = False
    script: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All that `plan` needs of an experiment: bounded by what is unfinished."""

    experiment: ExperimentRecord
    unfinished: tuple[TrialRecord, ...]
    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to a batch: the last sequence kept of its source, and whether to stop."""

    index: int
    attempt: int
    source: str
    last_sequence: int
    stop: StopRow | None = None
