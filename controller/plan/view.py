"""What `plan` sees: an experiment, what of it is unfinished, and totals of the rest.

Values of `api` only, so that the local engine and the Kubernetes operator fill
the same view from different worlds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ...api.history import INITIAL, SearchState
from ...api.objective import Objective, Outcome
from ...api.policy import Policy
from ...api.space import Point
from ...api.states import ExperimentState, TrialState
from .limits import NO_LIMITS, Limits
from .limits import parallel as parallel_within


class EndReason(StrEnum):
    """How an attempt's workload ended."""

    COMPLETED = "Completed"  # exit code 0
    FAILED = "Failed"  # its own exit, not 0
    OUT_OF_MEMORY = "OutOfMemory"  # ended at its memory limit: its own fault
    STOPPED = "Stopped"  # we ended it, or its engine went away
    LOST = "Lost"  # it vanished, and nobody knows its exit
    REFUSED = "Refused"  # it can never start here: nothing ran


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of an attempt's workload: nothing of it runs any more."""

    reason: EndReason
    at: float
    message: str = ""
    exit_code: int | None = None


class Phase(StrEnum):
    """Where a trial's last attempt is."""

    WAITING = "waiting"  # none yet, or the last one is over and another is due
    STARTING = "starting"  # recorded, and not known to run
    RUNNING = "running"
    ENDED = "ended"  # its exit is known; the trial is not finished

    @property
    def is_active(self) -> bool:
        """Whether it has, or may have, a workload."""
        return self in {Phase.STARTING, Phase.RUNNING}


@dataclass(frozen=True, slots=True)
class TrialView:
    """An unfinished trial.

    `attempt` is the last one's number, 0 before the first; `completed` counts
    those before it that ended well, `losses` those just before it that were lost
    in a row. `began_at` is when it was recorded, `running_at` when its workload
    ran. `value` is the objective's so far: the mean of these and the last, None
    when the last has not reported it. `broken` says which constraint an ended
    one does not keep. `metrics_open` says that reports may still come after the
    exit; `last_sign_at` is the reporter's last. `stopping` is the grace that the
    workload was given to end, None when it was not asked; `waits_for` is what
    a starting one still needs (devices), and what ended the attempt before a waiting one.
    """

    index: int
    state: TrialState = TrialState.CREATED
    phase: Phase = Phase.WAITING
    attempt: int = 0
    completed: int = 0
    began_at: float | None = None
    running_at: float | None = None
    exit: Exit | None = None
    retries: int = 0
    losses: int = 0
    retry_at: float | None = None
    value: float | None = None
    values: tuple[tuple[str, float], ...] = ()
    broken: str = ""
    metrics_open: bool = False
    last_sign_at: float | None = None
    metrics_seen: tuple[str, ...] = ()
    early_stop: str | None = None
    stopping: float | None = None
    waits_for: str = ""

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.value, self.values, broken=self.broken)


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals of the experiment's trials.

    `best` is the best value so far, never NaN; `reached` says that a trial reaches every goal.
    `unbegun` trials were ended before they had an attempt; `by_state` does not count them.
    """

    proposed: int = 0
    by_state: Mapping[TrialState, int] = field(default_factory=dict)
    observed: int = 0
    since_improvement: int = 0
    best: float | None = None
    reached: bool = False
    unbegun: int = 0

    def of(self, state: TrialState) -> int:
        return self.by_state.get(state, 0)

    @property
    def finished(self) -> int:
        return sum(count for state, count in self.by_state.items() if state.is_finished)

    @property
    def failed(self) -> int:
        """Trials that brought nothing by their own doing."""
        return self.of(TrialState.FAILED) + self.of(TrialState.METRICS_UNAVAILABLE)

    def ending(
        self, state: TrialState, outcome: Outcome, objective: Objective, min_delta: float = 0.0
    ) -> "Counts":
        """Return the totals after one more trial ended so."""
        ranked = None if outcome.broken else outcome.value
        improved = improves(objective, ranked, self.best, min_delta)
        better = objective.better(ranked, self.best)
        return replace(
            self,
            by_state={**self.by_state, state: self.of(state) + 1},
            observed=self.observed + (outcome.value is not None),
            since_improvement=0 if improved else self.since_improvement + 1,
            best=ranked if better else self.best,
            reached=self.reached or objective.reaches_goal(ranked, dict(outcome.values)),
        )


def improves(objective: Objective, value: float | None, best: float | None, delta: float) -> bool:
    """Say whether a value is better than the best by more than `delta`."""
    if not objective.better(value, best):
        return False
    return best is None or value is None or abs(value - best) > delta


@dataclass(frozen=True, slots=True)
class Search:
    """How the algorithm stands.

    `asking` points are being made now. `waited_at` is the number of finished
    trials that it knew of when it answered "wait", `waits` how often in a row it
    did while no trial ended. It is asked again as soon as another trial ends and,
    when none is left that could, after `retry_at`. `ahead` points may be made before
    there is room to run them. `failure` is why it cannot go on, `note` what it said
    of its last answer.
    """

    state: SearchState = SearchState.MORE
    asking: int = 0
    ahead: int = 0
    retry_at: float | None = None
    waited_at: int = 0
    waits: int = 0
    trouble: str = ""
    failure: str | None = None
    note: str = ""

    def anew(self) -> "Search":
        """Return it as if it had answered nothing yet."""
        return Search(asking=self.asking, ahead=self.ahead)


@dataclass(frozen=True, slots=True)
class InitialTrial:
    """A point to begin with. With `values`, its result is known: it is not run and not counted.

    `reason` and `labels` go to its trial.
    """

    point: Point
    values: tuple[tuple[str, float], ...] = ()
    reason: str = INITIAL
    labels: tuple[tuple[str, str], ...] = ()


class Verb(StrEnum):
    """What a person can ask of a running experiment."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    EDIT = "edit"
    TRIAL_STOP = "trial-stop"
    TRIAL_RETRY = "trial-retry"
    TRIAL_DROP = "trial-drop"
    TRIAL_ADD = "trial-add"


@dataclass(frozen=True, slots=True)
class Wish:
    """Something asked and not yet answered. `now` asks to stop what runs, too.

    `applied` says that the document already has what an edit asked for.
    """

    id: int
    verb: Verb
    index: int | None = None
    now: bool = False
    applied: bool = False


class Leaving(StrEnum):
    """The engine is asked to go, and leaves the experiment to a later one."""

    GENTLY = "gently"  # what runs ends within its grace
    AT_ONCE = "at once"


@dataclass(frozen=True, slots=True)
class View:
    """All that `plan` needs of an experiment: bounded by what is unfinished.

    `trials` are the unfinished ones by index. `active_seconds` counts the time
    in which the experiment was driven and not suspended. `ahead` are the experiments
    that took all the places which `limits` grant: this one waits for one.
    """

    policy: Policy
    objective: Objective
    initial: tuple[InitialTrial, ...] = ()
    state: ExperimentState = ExperimentState.CREATED
    reason: str = ""
    message: str = ""
    counts: Counts = field(default_factory=Counts)
    trials: tuple[TrialView, ...] = ()
    search: Search = field(default_factory=Search)
    wishes: tuple[Wish, ...] = ()
    suspended: bool = False
    active_seconds: float = 0.0
    leaving: Leaving | None = None
    limits: Limits = NO_LIMITS
    ahead: tuple[str, ...] = ()

    def ending(self, counts: Counts, state: TrialState, outcome: Outcome) -> Counts:
        """Return the totals after one more trial ended so."""
        return counts.ending(state, outcome, self.objective, self.policy.min_delta)

    @property
    def parallel(self) -> int:
        """How many trials may run at once."""
        return parallel_within(self.policy.parallel, self.limits)

    @property
    def active(self) -> int:
        """How many trials have, or may have, a workload."""
        return sum(trial.phase.is_active for trial in self.trials)

    @property
    def known(self) -> int:
        """How many recorded trials came with their result: they are not counted."""
        initial = self.initial[: self.counts.proposed]
        return sum(bool(trial.values) for trial in initial)

    def is_known(self, index: int) -> bool:
        initial = self.initial
        return index < len(initial) and bool(initial[index].values)
