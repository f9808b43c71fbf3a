"""A world in which plans are carried out: what is durable, what a crash forgets, and time.

It does with an action what an engine does, without any of its machinery, and
complains when an action breaks a law.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tunewright.api.history import SearchState
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.policy import Policy
from tunewright.api.states import ExperimentState, TrialState
from tunewright.controller.plan import plan
from tunewright.controller.plan.actions import (
    Action,
    AddTrial,
    Adopt,
    Answer,
    AnswerStop,
    ApplyEdit,
    Ask,
    Drop,
    Finish,
    Plan,
    ProposeInitial,
    RaiseBudget,
    Repeat,
    Start,
    Stop,
    Suspend,
)
from tunewright.controller.plan.view import (
    Counts,
    EndReason,
    Exit,
    InitialTrial,
    Leaving,
    Phase,
    Search,
    TrialView,
    View,
    Wish,
)

LOSS = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)


def policy(**changes: Any) -> Policy:
    return Policy(**{"parallel": 2, "max_trials": 6, **changes})


@dataclass(frozen=True)
class Fate:
    """What a trial's workload does when nobody interferes."""

    seconds: float = 1.0
    reason: EndReason = EndReason.COMPLETED
    value: float | None = 1.0


@dataclass
class Running:
    attempt: int
    fate: Fate
    ends_at: float
    stopped: bool = False


@dataclass
class World:
    policy: Policy
    fate: Callable[[int, int], Fate] = lambda index, retries: Fate()
    points: float = math.inf
    objective: Objective = LOSS
    initial: tuple[InitialTrial, ...] = ()
    now: float = 0.0
    # Durable.
    state: ExperimentState = ExperimentState.CREATED
    reason: str = ""
    message: str = ""
    counts: Counts = field(default_factory=Counts)
    trials: dict[int, TrialView] = field(default_factory=dict)
    finished: dict[int, TrialState] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    wishes: list[Wish] = field(default_factory=list)
    edits: dict[int, dict[str, object]] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    suspended: bool = False
    active_seconds: float = 0.0
    # What the machine does, whoever looks.
    running: dict[int, Running] = field(default_factory=dict)
    started: list[tuple[int, int]] = field(default_factory=list)
    # Forgotten by a crash.
    search: Search = field(default_factory=Search)
    leaving: Leaving | None = None
    known: set[int] = field(default_factory=set)

    def view(self) -> View:
        return View(
            policy=self.policy,
            objective=self.objective,
            initial=self.initial,
            state=self.state,
            reason=self.reason,
            message=self.message,
            counts=self.counts,
            trials=tuple(self.trials[index] for index in sorted(self.trials)),
            search=self.search,
            wishes=tuple(self.wishes),
            suspended=self.suspended,
            active_seconds=self.active_seconds,
            leaving=self.leaving,
        )

    def plan(self) -> Plan:
        return plan(self.view(), self.now)

    def step(self, *, only: int | None = None, times: int = 1) -> Plan:
        """Plan, and carry out the first `only` actions (all, and the status, by default)."""
        made = self.plan()
        for action in made.actions[:only]:
            for _ in range(times):
                self.carry_out(action)
        if only is None:
            self.state, self.reason, self.message = (
                made.status.state,
                made.status.reason,
                made.status.message,
            )
            if self.state is ExperimentState.RESTARTING:
                self.search = self.search.anew()
        return made

    def settle(self, limit: int = 50) -> Plan:
        """Plan and carry out until nothing more is to be done at this moment."""
        for _ in range(limit):
            before = self.state
            made = self.step()
            if not made.actions and self.state is before:
                return made
        raise AssertionError(f"no end of plans: {made}")

    def run(self, limit: int = 2000) -> None:
        """Let time pass until the experiment is over and the engine has nothing to do."""
        for _ in range(limit):
            made = self.settle()
            if made.done:
                return
            self.pass_time(made.wake_at)
        raise AssertionError(f"never over: {self.view()}")

    def pass_time(self, wake_at: float | None) -> None:
        """Go on to the next moment at which something happens."""
        moments = [running.ends_at for running in self.running.values()]
        if wake_at is not None:
            moments.append(wake_at)
        if not moments and not self.search.asking:
            raise AssertionError(f"waits for nothing: {self.view()}")
        self.advance(max(min(moments, default=self.now) - self.now, 0.0))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        if not self.suspended:
            self.active_seconds += seconds
        self.answer()
        for index in sorted(self.running):
            if self.running[index].ends_at <= self.now:
                self.end(index)

    def answer(self) -> None:
        """Let the algorithm answer what it was asked."""
        if self.search.asking:
            asked = self.search.asking
            count = int(max(min(asked, self.points - self.counts.proposed), 0))
            state = SearchState.MORE if count == asked else SearchState.EXHAUSTED
            self.search = replace(self.search, asking=0, state=state)
            self.propose(count)

    def propose(self, count: int) -> None:
        for index in range(self.counts.proposed, self.counts.proposed + count):
            self.trials[index] = TrialView(index)
        self.counts = replace(self.counts, proposed=self.counts.proposed + count)

    def begin(self, index: int) -> None:
        """Let a starting workload run."""
        trial = self.trials[index]
        if trial.phase is Phase.STARTING:
            self.trials[index] = replace(
                trial, phase=Phase.RUNNING, state=TrialState.RUNNING, running_at=self.now
            )

    def end(self, index: int) -> None:
        running = self.running.pop(index)
        self.begin(index)
        reason = EndReason.STOPPED if running.stopped else running.fate.reason
        value = self.trials[index].value if running.stopped else running.fate.value
        self.trials[index] = replace(
            self.trials[index],
            phase=Phase.ENDED,
            value=value,
            exit=Exit(reason, self.now, message="exit code 1"),
        )

    def crash(self) -> None:
        """Lose all that is not durable, and come back: strays are ended first."""
        self.search = replace(self.search, asking=0, state=SearchState.MORE, waits=0)
        self.leaving = None
        self.running.clear()
        for index, trial in self.trials.items():
            if trial.phase.is_active:
                self.trials[index] = replace(
                    trial, phase=Phase.ENDED, exit=Exit(EndReason.STOPPED, self.now), stopping=None
                )

    def carry_out(self, action: Action) -> None:  # noqa: C901, PLR0912 - a case an action
        match action:
            case Start(index, attempt):
                self._start(index, attempt)
            case Stop(index, attempt, grace):
                self._stop(index, attempt, grace)
            case Repeat():
                self._repeat(action)
            case Finish(index, state, reason):
                self._finish(index, state, reason, self.trials.get(index))
            case Adopt(index, reason):
                values = dict(self.initial[index].values)
                trial = self.trials.get(index)
                trial = trial and replace(trial, value=values.get("loss"))
                self._finish(index, TrialState.SUCCEEDED, reason, trial)
            case ProposeInitial(first, count) if first == self.counts.proposed:
                self.propose(count)
            case Ask(first, count) if first == self.counts.proposed:
                self.search = replace(self.search, asking=count)
            case Suspend(suspended):
                self.suspended = suspended
            case ApplyEdit(wish):
                self.policy = replace(self.policy, **self.edits[wish])
                self.wishes = [
                    replace(each, applied=True) if each.id == wish else each for each in self.wishes
                ]
            case RaiseBudget(max_trials):
                self.policy = replace(self.policy, max_trials=max_trials)
            case AddTrial(wish, index):
                self._add(wish, index)
            case Drop(index):
                assert index in self.finished
                self.dropped.add(index)
            case Answer(wish, refused):
                self.answers.setdefault(wish, refused)
                self.wishes = [each for each in self.wishes if each.id != wish]
            case AnswerStop() | ProposeInitial() | Ask():
                pass

    def _add(self, wish: int, index: int) -> None:
        """One transaction with its answer, so that a repetition finds no wish."""
        if index == self.counts.proposed and any(each.id == wish for each in self.wishes):
            self.propose(1)
            self.carry_out(Answer(wish))

    def _start(self, index: int, attempt: int) -> None:
        trial = self.trials[index]
        if (index, attempt) in self.started and trial.attempt == attempt:
            return
        assert index not in self.running, "an attempt starts while another runs"
        assert attempt == trial.attempt + 1, "an attempt is left out"
        assert len(self.running) < self.policy.parallel, "more than parallelTrialCount run"
        fate = self.fate(index, trial.retries)
        self.started.append((index, attempt))
        self.running[index] = Running(attempt, fate, self.now + fate.seconds)
        self.trials[index] = replace(
            trial, phase=Phase.STARTING, attempt=attempt, began_at=self.now, retry_at=None
        )

    def _stop(self, index: int, attempt: int, grace: float) -> None:
        running = self.running.get(index)
        if running is None or running.attempt != attempt:
            return
        running.stopped = True
        running.ends_at = min(running.ends_at, self.now + min(grace, 0.5))
        self.trials[index] = replace(self.trials[index], stopping=grace)

    def _repeat(self, action: Repeat) -> None:
        trial = self.trials[action.index]
        if trial.phase is Phase.WAITING:
            return
        assert action.index not in self.running, "a trial is repeated while it runs"
        self.trials[action.index] = TrialView(
            action.index,
            attempt=trial.attempt,
            retries=trial.retries + action.counted,
            retry_at=action.at,
        )

    def _finish(self, index: int, state: TrialState, reason: str, trial: TrialView | None) -> None:
        if trial is None or index in self.finished:
            return
        assert index not in self.running, "a trial is finished while it runs"
        self.finished[index] = state
        self.reasons[index] = reason
        self.counts = self.view().ending(self.counts, state, trial.outcome)
        del self.trials[index]

    def states(self) -> list[str]:
        return [str(self.finished[index]) for index in sorted(self.finished)]


def of(states: Iterable[str], state: TrialState) -> int:
    return sum(each == state for each in states)
