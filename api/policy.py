"""How an experiment is run: its budget, its limits, and what becomes of failures."""

from dataclasses import dataclass
from enum import StrEnum


class ResumePolicy(StrEnum):
    """Katib's names: what a plug-in keeps when the experiment has ended."""

    NEVER = "Never"
    LONG_RUNNING = "LongRunning"
    FROM_VOLUME = "FromVolume"


class OnLost(StrEnum):
    """What becomes of a trial whose workload vanished."""

    RETRY = "Retry"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class NoImprovement:
    """End when the last `trials` finished trials bettered the best by no more than `min_delta`."""

    trials: int
    min_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything about an experiment's life that its file decides. Times are seconds.

    `max_trials` counts finished trials; None is no limit. `resume_policy` is
    None where the file names none: then a raised budget opens the experiment
    again. `active_deadline` limits an attempt from its start, `pending_deadline`
    the wait for it. `max_duration` counts the time in which the experiment was
    driven and not suspended. `retain` keeps what a finished trial leaves.
    `lease` is how long a point that somebody asked for may stay untold; None
    where trials have workloads.
    """

    max_trials: int | None = None
    max_failed: int | None = None
    parallel: int = 3
    resume_policy: ResumePolicy | None = None
    retries: int = 0
    backoff_seconds: float = 10.0
    active_deadline: float | None = None
    pending_deadline: float | None = None
    on_lost: OnLost = OnLost.RETRY
    max_duration: float | None = None
    no_improvement: NoImprovement | None = None
    repeats: int = 1
    retain: bool = False
    lease: float | None = None

    @property
    def min_delta(self) -> float:
        """By how much a trial must better the best to count as an improvement."""
        return self.no_improvement.min_delta if self.no_improvement else 0.0

    @property
    def may_restart(self) -> bool:
        """Say whether a raised budget opens an experiment that ended by it."""
        return self.resume_policy is not ResumePolicy.NEVER
