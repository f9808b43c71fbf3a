"""The local engine: take a turn, carry out what it decided, wait for what happens next.

One event loop drives one experiment. What is decided is `plan`'s; what is
kept is the store's; this loop only carries. The loop is never held by the store:
a turn that has to wait for it, or has much to write, is taken in a thread.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ..api.checkpoint import Keep
from ..api.errors import Retryable, StoreUnavailable, StoreUnwritable, TunewrightError
from ..api.observation import Batch
from ..api.states import ExperimentState
from ..db.records import AttemptState, Usage
from ..db.store import Store
from .asking import ask
from .doorbell import listening
from .effects import (
    AskFor,
    Effect,
    Event,
    Noted,
    StartAttempt,
    StopAttempt,
    TrialFinished,
    Turn,
)
from .lineage import Lineage
from .loading import Memory, view_of
from .plan import explain
from .plan.view import EndReason, InitialTrial, Leaving
from .ports import AttemptRef, Change, Clock, Ended, Output, Started, Suggester, Workloads
from .progress import Observer
from .snapshots import Pictures
from .sweeping import Sweeper, remove
from .trials import RunningTrials
from .turn import Turns
from .warm_start import warm_trials

WorkloadsFactory: TypeAlias = Callable[[Callable[[Change], None]], Workloads]
"""Makes the runtime; it is given the function to call, on the event loop, with every change."""

T = TypeVar("T")

LINGER = 0.1
"""Seconds that news may wait for more of it, so that one turn serves several."""

LOOK = 1.0
"""Seconds after which wishes are looked for, should nobody have woken us."""

LONGEST_STEP = 60.0
"""Seconds between two turns at the most; more pass where the machine slept or its clock was set."""

FEW = 256
"""How many samples are written where the loop runs: handing them to a thread takes longer."""

STORE_PATIENCE = 300.0
"""Seconds that a database may be away before the engine gives up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of the engine ended. `interrupted`: it left before the experiment's end."""

    state: ExperimentState
    reason: str
    message: str
    interrupted: bool


class Engine:
    """Drives one experiment to its end, or until told to leave.

    The caller holds the experiment's lock (one engine each), and closes store
    and suggester afterwards. `home` is the folder below which each trial gets
    its directory; `socket` the path of its `doorbell`, None to poll only.
    `ahead` points may be made before there is room to run them.
    """

    def __init__(
        self,
        *,
        store: Store,
        uid: str,
        workloads: WorkloadsFactory,
        suggester: Suggester,
        clock: Clock,
        home: Path,
        observer: Observer | None = None,
        socket: Path | None = None,
        ahead: int = 0,
    ) -> None:
        self._store = store
        self._uid = uid
        self._workloads = workloads(self._on_change)
        self._suggester = suggester
        self._clock = clock
        self._socket = socket
        self._home = home
        self._sweeper = Sweeper(Lineage(store, uid))
        self._turns = Turns(store, uid)
        self._memory = Memory()
        self._memory.search = replace(self._memory.search, ahead=ahead)
        self._due = asyncio.Event()
        self._lingers: asyncio.TimerHandle | None = None
        self._trials = RunningTrials(
            self._workloads, clock, home, on_samples=self._on_samples, on_news=self._turn_soon
        )
        self._pictures = Pictures(observer, clock)
        self._inbox: list[Event] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._last: Turn | None = None
        self._counted_at: float | None = None

    async def run(self) -> Outcome:
        """Drive the experiment.

        Raises:
            StoreUnavailable, StoreUnwritable: the store cannot be written; nothing is left
                running, and what was recorded is whole.
            Invalid: the document in the store does not compile, or what it starts from is gone.
        """
        try:
            async with listening(self._socket, self._answer):
                await self._trials.open()
                await self._recover()
                self._memory.warm = await self._in_writer(self._warm_trials)
                return await self._drive()
        finally:
            await self._close()

    def leave(self) -> None:
        """Start nothing more and end what runs, within its grace; a second call: at once.

        Safe from a signal handler of the loop. What was ended runs again at the next run.
        """
        again = self._memory.leaving is not None
        self._memory.leaving = Leaving.AT_ONCE if again else Leaving.GENTLY
        self._turn_now()

    def wake(self) -> None:
        """Look at the wishes now."""
        self._turn_now()

    def _answer(self) -> Sequence[str]:
        """Wake, and say what the experiment waits for."""
        self.wake()
        turn = self._last
        if turn is None:
            return ()
        reached = turn.view.counts.reached
        view = view_of(turn.stored, turn.brief, self._memory, reached=reached)
        return explain(view, self._clock.now())

    # The loop.

    async def _drive(self) -> Outcome:
        while True:
            if self._failure is not None:
                raise self._failure
            turn = self._last = await self._turn()
            for effect in turn.effects:
                await self._carry(effect, turn)
            await self._sweep(turn)
            self._pictures.show(turn, self._trials)
            if turn.done:
                return await self._outcome(turn)
            await self._wait(turn.wake_at)

    async def _sweep(self, turn: Turn) -> None:
        """Remove the checkpoints that nobody needs once a generation has begun, or all is over."""
        kept, record = turn.brief.checkpoint, turn.stored.experiment
        if kept is None or kept.keep is Keep.ALL:
            return
        if any(isinstance(effect, StartAttempt) for effect in turn.effects):
            names = await self._in_writer(lambda: self._sweeper.spare(record))
            if names:
                self._spawn(asyncio.to_thread(remove, self._home, names))
        if turn.done and record.state.is_finished and kept.keep is Keep.BEST:
            names = await self._in_writer(
                lambda: self._sweeper.left(self._store.view(self._uid).experiment)
            )
            await asyncio.to_thread(remove, self._home, names)

    async def _outcome(self, turn: Turn) -> Outcome:
        await self._in_writer(lambda: self._save_time(0.0))
        experiment = turn.stored.experiment
        return Outcome(
            experiment.state,
            experiment.reason,
            experiment.message,
            interrupted=not experiment.state.is_finished,
        )

    async def _turn(self) -> Turn:
        """Take a turn with all that has come in; on a store that is away, the same again."""
        self._trials.flush()
        events, self._inbox = self._inbox, []
        deadline = self._clock.now() + STORE_PATIENCE
        has_said = False
        while True:
            now = self._clock.now()
            self._count_time(now)
            try:
                turn = await self._taken(events)
            except StoreUnavailable as error:
                if self._clock.now() > deadline or self._memory.leaving is not None:
                    raise
                if not has_said:
                    self._pictures.note(now, "Warning", "StoreUnavailable", str(error), trial=None)
                has_said = True
                await asyncio.sleep(error.after)
            else:
                return turn

    async def _taken(self, events: list[Event]) -> Turn:
        """Take the turn here if nobody is waited for: a thread costs as much again."""
        if sum(len(event.samples) for event in events if isinstance(event, Batch)) <= FEW:
            with contextlib.suppress(StoreUnavailable), self._store.at_once():
                return self._take(events)
        return await self._in_writer(lambda: self._take(events))

    def _take(self, events: list[Event]) -> Turn:
        now = self._clock.now()
        self._save_time(5.0)
        return self._turns.take(events, self._memory, now)

    async def _wait(self, wake_at: float | None) -> None:
        """Wait until a turn is due: by news, or by the time."""
        left = LOOK if wake_at is None else min(LOOK, wake_at - self._clock.now())
        if left > 0:
            alarm = asyncio.get_running_loop().call_later(left, self._due.set)
            await self._due.wait()
            alarm.cancel()
        else:
            await asyncio.sleep(0)  # let the loop see to signals and pipes, too
        self._due.clear()
        if self._lingers is not None:
            self._lingers.cancel()
            self._lingers = None

    async def _carry(self, effect: Effect, turn: Turn) -> None:
        match effect:
            case StartAttempt():
                await self._start(effect, turn)
            case StopAttempt():
                await self._stop(effect)
            case AskFor():
                self._memory.search = replace(self._memory.search, asking=effect.count)
                self._spawn(self._ask(effect, turn))
            case TrialFinished():
                self._memory.trials.pop(effect.record.index, None)
                self._trials.forget(effect.record.index)
                self._pictures.finished(effect)
            case Noted():
                self._pictures.note(
                    effect.at, effect.kind, effect.reason, effect.message, trial=effect.trial
                )

    # Trials.

    async def _start(self, effect: StartAttempt, turn: Turn) -> None:
        """Start the attempt; what it still needs is waited for, what it never gets ends it."""
        self._memory.of(effect.ref.index).stopping = None
        wait = await self._try(effect, turn)
        if wait is not None:
            self._spawn(self._start_later(wait, effect, turn))

    async def _start_later(self, wait: float | None, effect: StartAttempt, turn: Turn) -> None:
        passing = self._memory.of(effect.ref.index)
        while wait is not None:
            await asyncio.sleep(wait)
            if passing.stopping is not None:
                self._end_unstarted(effect.ref)
                return
            wait = await self._try(effect, turn)

    async def _try(self, effect: StartAttempt, turn: Turn) -> float | None:
        """Try to start the attempt; return the seconds after which to try again."""
        ref, experiment = effect.ref, turn.stored.experiment
        passing = self._memory.of(ref.index)
        try:
            await self._trials.start(ref, effect.proposal, experiment, turn.brief, run=effect.run)
        except Retryable as error:
            passing.waits_for = str(error)
            return min(error.after, LOOK)
        except StoreUnwritable:
            raise  # it is the same for every trial
        except TunewrightError as error:
            self._refuse(ref, str(error))
            return None
        passing.waits_for = ""
        if passing.stopping is not None:  # asked to end while it was starting
            await self._workloads.stop(ref, grace=passing.stopping)
        return None

    def _refuse(self, ref: AttemptRef, message: str) -> None:
        self._trials.forget(ref.index)
        now = self._clock.now()
        self._tell(Ended(ref, EndReason.REFUSED, None, message, Usage(), now))

    def _end_unstarted(self, ref: AttemptRef) -> None:
        self._trials.forget(ref.index)
        message = "ended before it started"
        self._tell(Ended(ref, EndReason.STOPPED, None, message, Usage(), self._clock.now()))

    async def _stop(self, effect: StopAttempt) -> None:
        self._memory.of(effect.ref.index).stopping = effect.grace
        self._trials.stop_asked(effect.ref)
        if self._trials.is_started(effect.ref):
            await self._workloads.stop(effect.ref, grace=effect.grace)

    def _on_change(self, change: Change) -> None:
        match change:
            case Started():
                self._inbox.append(change)
                self._turn_soon()
            case Output():
                self._trials.feed(change)
            case Ended():
                self._spawn(self._end(change))

    async def _end(self, ended: Ended) -> None:
        """Read the metrics that are left, then tell of the end."""
        passing = self._memory.of(ended.ref.index)
        passing.metrics_seen = await self._trials.finish(ended.ref, ended.at)
        passing.stopping = None
        self._tell(ended)

    def _on_samples(self, event: Event) -> None:
        self._inbox.append(event)
        self._turn_soon()

    def _tell(self, event: Event) -> None:
        self._trials.flush()
        self._inbox.append(event)
        self._turn_now()

    def _turn_soon(self) -> None:
        """Take a turn soon: there is news, which waits a moment for more of it."""
        if self._lingers is None:
            self._lingers = asyncio.get_running_loop().call_later(LINGER, self._due.set)

    def _turn_now(self) -> None:
        """Take a turn now."""
        self._due.set()

    # Points.

    async def _ask(self, question: AskFor, turn: Turn) -> None:
        problem = turn.brief.problem
        suggested = await ask(self._suggester, problem, question, self._memory, self._clock)
        if suggested is None:
            self._turn_now()
        else:
            self._inbox.append(suggested)
            if self._memory.search.ahead and turn.view.trials:
                self._turn_soon()  # nobody waits for points that are made ahead
            else:
                self._turn_now()

    # From an engine before this one, and at the end of this one.

    async def _recover(self) -> None:
        """End what an engine that was killed left behind, and tell of the attempts as stopped.

        When they ended nobody knows. Their start is told as their end: the time in which no
        engine ran must not count against their deadlines.
        """
        view = await self._in_writer(lambda: self._store.view(self._uid))
        left = [
            (record, record.attempt)
            for record in view.unfinished
            if record.attempt is not None and record.attempt.state is not AttemptState.ENDED
        ]
        if not left:
            return
        await self._workloads.end_strays([attempt.token for _, attempt in left])
        for record, attempt in left:
            ref = AttemptRef.last_of(self._uid, record)
            message, at = "its engine went away", attempt.started_at or 0.0
            self._inbox.append(Ended(ref, EndReason.STOPPED, None, message, Usage(), at))

    def _warm_trials(self) -> tuple[InitialTrial, ...]:
        return warm_trials(self._store, self._store.view(self._uid).experiment)

    async def _close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._trials.close()
        await self._workloads.close()
        self._writer.shutdown()

    # Time.

    def _count_time(self, now: float) -> None:
        """Count the time in which the experiment was driven and not suspended."""
        if self._counted_at is not None and self._pictures.is_going:
            passed = max(0.0, now - self._counted_at)
            self._memory.unsaved_seconds += min(passed, LONGEST_STEP)
        self._counted_at = now

    def _save_time(self, least: float) -> None:
        seconds = self._memory.unsaved_seconds
        if seconds > least:
            self._store.add_active_seconds(self._uid, seconds)
            self._memory.unsaved_seconds -= seconds

    # Small machinery.

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Let what went wrong in a task end the engine: nobody else would hear of it."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
            self._turn_now()
