"""One experiment on a cluster: see what happened, take a turn, make the cluster as the book says.

What is decided is `plan`'s. A step may break off anywhere and be taken again:
what must exist is looked for before it is made, and a driver that is thrown away
is opened anew from the resources, to the same end.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ...api.errors import Conflict, Invalid, ServerUnavailable
from ...api.states import ExperimentState, TrialState
from ...db.records import PendingStop, StopRow
from ..asking import ask
from ..brief import Brief, brief_of
from ..effects import AskFor, Event, TrialFinished, Turn
from ..loading import Memory
from ..plan import explain, reasons
from ..plan.limits import held_back
from ..plan.view import View
from ..turn import Turns
from .attempts import AGAIN_SECONDS, Attempts
from .book import Book
from .claims import with_claim
from .experiments import experiment_record, waited_for
from .informers import asks_to_stop
from .jobs import Jobs, rendered
from .limiting import ahead
from .making import Maker
from .observing import AttemptObserver
from .page import Page
from .plugins import Plugin, served_by
from .port import Document
from .templates import with_template
from .trials import is_ours
from .wishes import wish_of, wishes_of
from .world import World
from .writing import STATUS_SECONDS, StatusWriter, strike_wishes, write_spec, write_trials

HELD_SECONDS = 10.0
"""How often an experiment that waits for a place in its namespace looks for one."""

BUG_SECONDS = 30.0
"""How soon an algorithm is asked again that failed by a bug."""

log = logging.getLogger(__name__)

_BAD_ENDS = {TrialState.FAILED, TrialState.METRICS_UNAVAILABLE}


def adapted(brief: Brief, plugin: Plugin | None, experiment: str) -> Brief:
    """Return the brief with what exists for the experiment on a cluster: its plug-in, its claim."""
    served = brief if plugin is None else served_by(brief, plugin.endpoint)
    return with_claim(served, experiment)


class Driver:
    """Drives one experiment, one `step` at a time. Opened by `opening.open_driver`."""

    def __init__(
        self,
        world: World,
        book: Book,
        brief: Brief,
        jobs: Jobs,
        plugin: Plugin | None,
        *,
        memory: Memory,
    ) -> None:
        self.lines: Sequence[str] = ()
        """What the experiment waits for, in words."""
        self._world = world
        self._book = book
        self._brief = brief
        self._jobs = jobs
        self._plugin = plugin
        self._turns = Turns(book, book.experiment.uid)
        self._memory = memory
        self._attempts = Attempts(world, book, self._memory, brief, jobs)
        self._observer = AttemptObserver(self._attempts)
        self._maker = Maker(self._attempts)
        self._suggester = world.open_suggester(
            brief.problem,
            partial(book.history, book.experiment.uid),
            timeout=brief.answer_seconds,
        )
        self._inbox: list[Event] = []
        self._asking: asyncio.Task[None] | None = None
        self._is_tried = bool(book.pages)
        self._counted_at = world.steady()
        self._status = StatusWriter(waited_for(book.experiment.document))
        self._missed = ""  # a trial that the book lacks
        self._carried_out: set[int] = set()  # wishes that a cache may still show

    @property
    def uid(self) -> str:
        return self._book.experiment.uid

    @property
    def created(self) -> int:
        """How many trials there ever were in the cluster."""
        return self._book.created_so_far

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do until somebody edits the experiment."""
        book = self._book
        over = book.experiment.state.is_finished and not book.unfinished
        return over and self._attempts.is_clear and not book.unwritten.is_left

    @property
    def is_held(self) -> bool:
        """Whether others took all the places of its namespace."""
        return bool(self._memory.ahead)

    def ask_to_stop(self, stop: PendingStop) -> None:
        """Hear of an early stop that the metrics service decided."""
        now = self._world.clock.now()
        row = StopRow(stop.index, stop.attempt, stop.reason, now, answered=False)
        if self._book.ask_to_stop(row):
            self._world.touch(self._book.key)

    def hear_of(self, trial: Document) -> None:
        """Hear of a trial that was seen for the first time.

        One that the book lacks was on its way when the book was opened: an operator that is
        gone had sent it.
        """
        name = trial["metadata"]["name"]
        if is_ours(trial, self.uid) and not self._book.has(name):
            self._missed = name
            self._world.touch(self._book.key)

    async def step(self, document: Document) -> float | None:
        """Do what is due; return when to be called again at the latest.

        Raises:
            Retryable: something is away; what was decided is kept.
            Invalid: the first trial's workload is not what the cluster takes.
            TunewrightError: the book is not what the cluster has: open it anew.
        """
        if self._missed:
            raise Conflict(f"{self._missed} appeared late")
        await self._learn(document)
        self._see_limits(document)
        self._inbox += await self._observer.observe()
        turn = self._take()
        self._attempts.note(turn.effects)
        await self._write_spec(turn)
        book, kube, is_taken = self._book, self._world.kube, await self._is_taken()
        if is_taken:
            await write_trials(book, kube, self._world.informers.trials, self._render)
            await self._maker.make()
        await self._status.write(book, kube, self._world.steady(), self.lines)
        if is_taken:  # else what a wish brought is not written
            await self._strike_wishes()
        self._announce(turn)
        self._ask(turn)
        return self._wake_at(turn)

    async def end(self) -> None:
        """Let the plug-in go, where its experiment does not keep it."""
        if self._plugin is not None and not self._plugin.is_kept:
            await self._plugin.end()

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._attempts.close()
        await self._suggester.close()

    # What people changed.

    async def _learn(self, document: Document) -> None:
        if document["metadata"].get("generation", 1) > self._book.experiment.version:
            await self._take_over(document)
        self._book.wishes = tuple(
            wish_of(each, self._brief.problem.space)
            for each in wishes_of(document)
            if each["id"] not in self._carried_out | self._book.unwritten.answered
        )
        for record in self._book.unfinished:
            found = self._world.informers.trial(self._book.key, record.name)
            if found is not None and asks_to_stop(found):
                attempt = record.attempt.attempt if record.attempt else 0
                why = "an early-stopping service asked for it"
                self.ask_to_stop(PendingStop(self.uid, record.index, attempt, why))

    async def _with_template(self, document: Document) -> Document:
        return await with_template(self._world.kube, document, self._world.template_namespaces)

    async def _take_over(self, document: Document) -> None:
        """Take over an edited document; one that is wrong changes nothing but what is said."""
        try:
            edited, _ = experiment_record(await self._with_template(document))
            brief = brief_of(edited)
        except Invalid as error:
            version = document["metadata"]["generation"]
            self._book.refuse_edit(version, str(error), self._world.clock.now())
        else:
            self._brief = self._attempts.brief = adapted(brief, self._plugin, self._book.key.name)
            self._book.learn(edited)

    def _see_limits(self, document: Document) -> None:
        """See what the namespace is granted, and whether others have taken it."""
        key, memory = self._book.key, self._memory
        memory.limits = self._world.limits(key.namespace)
        if memory.limits.experiments is None or self._book.experiment.state.is_finished:
            memory.ahead = ()
        else:
            memory.ahead = ahead(document, self._world.informers.beside(key), memory.limits)

    # The turn.

    def _take(self) -> Turn:
        now = self._world.clock.now()
        self._count_time()
        events, self._inbox = self._inbox, []
        turn = self._turns.take(events, self._memory, now)
        self.lines = explain(turn.view, now, lasting=True)
        self._say_what_is_held(turn.view, now)
        return turn

    def _say_what_is_held(self, view: View, now: float) -> None:
        is_over = self._book.experiment.state.is_finished
        held = held_back(view.policy.parallel, view.limits, view.ahead)
        self._book.note_held(None if is_over else next(held, None), now)

    def _count_time(self) -> None:
        """Count the time in which the experiment was driven and not suspended."""
        record, now = self._book.experiment, self._world.steady()
        if record.state is ExperimentState.RUNNING and not record.suspended:
            seconds = record.active_seconds + now - self._counted_at
            self._book.experiment = replace(record, active_seconds=seconds)
        self._counted_at = now

    async def _write_spec(self, turn: Turn) -> None:
        if self._book.unwritten.spec:
            await self._take_over(await write_spec(self._book, self._world.kube))
            turn.wake_at = self._world.clock.now()

    async def _strike_wishes(self) -> None:
        """Remove the wishes that are carried out; a crash before this carries them out again."""
        answered = self._book.unwritten.answered
        if answered:
            self._carried_out |= answered
            await strike_wishes(self._book, self._world.kube)

    async def _is_taken(self) -> bool:
        """Ask the server what it says to the first trial's workload, before anything is created.

        While a webhook that it has to ask is down, say, it cannot tell: the experiment waits.
        """
        first = next(iter(self._book.unfinished), None)
        if self._is_tried or first is None:
            return True
        try:
            await self._jobs.try_out(self._book.experiment, self._brief, first)
        except ServerUnavailable as error:
            self.lines = (*self.lines, f"the cluster cannot say if it takes the trials: {error}")
            self._attempts.again = True
            return False
        self._is_tried = True
        return True

    def _render(self, page: Page) -> Document:
        return rendered(self._book.experiment, self._brief, page.record)

    def _announce(self, turn: Turn) -> None:
        """Tell of what happened, for people and for dashboards."""
        book, world = self._book, self._world
        events, book.unwritten.events = book.unwritten.events, []
        for event in events:
            about = book.experiment.document if event.index is None else book.about(event.index)
            world.notices.say(about, event.kind, event.reason, event.message)
            if event.index is None and event.reason != reasons.RUNNING.name:
                world.figures.passed("experiment", book.key.namespace, str(book.experiment.state))
        for effect in turn.effects:
            if isinstance(effect, TrialFinished):
                record = book.trial(self.uid, effect.record.index)
                kind = "Warning" if record.state in _BAD_ENDS else "Normal"
                world.notices.say(book.about(record.index), kind, record.reason, record.message)
                world.figures.passed("trial", book.key.namespace, str(record.state))

    # Points.

    def _ask(self, turn: Turn) -> None:
        for effect in turn.effects:
            if isinstance(effect, AskFor):
                self._memory.search = replace(self._memory.search, asking=effect.count)
                self._asking = asyncio.create_task(self._answer(effect))

    async def _answer(self, question: AskFor) -> None:
        clock, memory = self._world.clock, self._memory
        try:
            suggested = await ask(self._suggester, self._brief.problem, question, memory, clock)
        except Exception as error:  # of an algorithm: its experiment says so, and asks again
            log.exception("the algorithm of %s/%s fails: a bug", *self._book.key)
            trouble, again = f"{type(error).__name__}: {error}", clock.now() + BUG_SECONDS
            memory.search = replace(memory.search, asking=0, trouble=trouble, retry_at=again)
        else:
            self._inbox += [] if suggested is None else [suggested]
        self._world.touch(self._book.key)

    def _wake_at(self, turn: Turn) -> float | None:
        now = self._world.clock.now()
        moments = [turn.wake_at]
        if self._attempts.again:
            moments.append(now + AGAIN_SECONDS)
        if self.is_held:
            moments.append(now + HELD_SECONDS)
        if self._book.unwritten.is_left or self._status.stale_since is not None:
            moments.append(now + STATUS_SECONDS)
        return min((moment for moment in moments if moment is not None), default=None)
