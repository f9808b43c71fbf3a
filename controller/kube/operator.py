"""The operator: experiments of a cluster, each looked at when something about it changed.

One leader drives; replicas behind it keep their caches warm. A step that fails
is taken again after a pause; one that finds the cluster other than its book
opens the book anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

from ...api.errors import Conflict, Invalid, NotFound, Retryable, TunewrightError
from ..plan import reasons
from ..plan.limits import expires_at
from .admission import Admission
from .cache import Cache, Key, key_of
from .driver import Driver
from .experiments import experiment_record, is_driven_here, is_settled, kind_of_trials, ttl_of
from .figures import Figures
from .informers import BY_EXPERIMENT, HELD, Informers
from .katib import lift_finalizers, return_when_it_is_back, wait_for_its_end
from .lease import Elector
from .notices import Notices
from .opening import open_driver
from .plugins import tell_ignored
from .port import Document
from .queue import WorkQueue
from .resources import EXPERIMENTS, TRIALS
from .retention import keep_sweeping
from .trials import is_ours
from .world import Parts, World
from .writing import refuse, say_waits

log = logging.getLogger(__name__)

STOPS_SECONDS = 1.0
"""How often the metrics service is asked for early stops."""

WORKERS = 16
"""How many experiments are looked at together: each step waits for the API server most of it."""

AFTER_SECONDS = 1.0
"""How soon an end is acted upon: by then it is seen in the cluster, too."""

AGAIN_SECONDS = 30.0
"""How soon a kind that is not installed is looked for again."""


class _Driven(NamedTuple):
    """An experiment that was driven here, and how many trials it had then."""

    uid: str
    created: int


class Operator:
    """Drives every experiment that it sees, while it leads."""

    def __init__(self, parts: Parts, figures: Figures) -> None:
        self.figures = figures
        self.informers: Informers | None = None
        self._parts = parts
        self._queue = WorkQueue(parts.chance)
        self._news = asyncio.Event()
        self._drivers: dict[Key, Driver] = {}
        self._driven: dict[Key, _Driven] = {}  # those that were driven here, while they are there
        self._notices = Notices(parts.kube, parts.clock)

    @property
    def is_ready(self) -> bool:
        """Whether the cluster has been seen once."""
        return self.informers is not None and self.informers.is_synced

    async def run(self, elector: Elector | None) -> None:
        """Follow the cluster and, when it is this replica's turn, drive; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self.informers = Informers(
                self._parts.kube,
                self._parts.namespaces,
                self._touch,
                self._hear_of_trial,
                tasks,
                chance=self._parts.chance,
            )
            await self.informers.synced()
            while True:  # a lease that was lost is striven for again
                await (self._lead() if elector is None else elector.run(self._lead))

    def admission(self) -> Admission | None:
        """Return what answers about pods, once the cluster has been seen."""
        if self.informers is None or not self.is_ready:
            return None
        parts = self._parts
        return Admission(parts.kube, self.informers, parts.settings, parts.template_namespaces)

    def figures_text(self) -> str:
        caches = {}
        if self.informers is not None:
            caches = {"experiment": self.informers.experiments, "trial": self.informers.trials}
        return self.figures.text(caches, len(self._queue))

    async def _lead(self) -> None:
        """Drive until cancelled, or until Katib's controller drives again."""
        assert self.informers is not None
        world = World(
            **{each.name: getattr(self._parts, each.name) for each in fields(self._parts)},
            informers=self.informers,
            notices=self._notices,
            figures=self.figures,
            touch=self._touch,
        )
        await wait_for_its_end(self._parts.kube, self._parts.namespaces)
        await tell_ignored(self._parts.kube, self._notices, self._parts.katib_configs)
        driving = asyncio.ensure_future(self._drive(world))
        back = return_when_it_is_back(self._parts.kube, self._parts.namespaces)
        looking = asyncio.ensure_future(back)
        try:
            await asyncio.wait({driving, looking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            looking.cancel()
            driving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await driving

    async def _drive(self, world: World) -> None:
        self.figures.leads = True
        webhook = self._parts.pod_webhook
        try:
            if webhook is not None:
                await webhook.lead(_kinds(world.informers.experiments))
            for key in world.informers.experiments.names():
                self._queue.add(key, urgent=False)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear_stops())
                tasks.create_task(self._notices.run())
                tasks.create_task(self._keep_sweeping(world))
                for _ in range(WORKERS):
                    tasks.create_task(self._work(world))
        finally:
            self.figures.leads = False
            if webhook is not None:
                webhook.resign()
            for key in tuple(self._drivers):
                await self._drop(key)

    def _touch(self, key: Key) -> None:
        self._queue.add(key)
        self._news.set()

    def _hear_of_trial(self, key: Key, trial: Document) -> None:
        driver = self._drivers.get(key)
        if driver is not None:
            driver.hear_of(trial)

    # One experiment after the other.

    async def _work(self, world: World) -> None:
        while True:
            key = self._queue.take(self._parts.steady())
            if key is None:
                await self._rest()
                continue
            try:
                await self._reconcile(world, key)
            finally:
                self._queue.done(key)
                self._news.set()

    async def _rest(self) -> None:
        """Wait for news, or for the next moment at which something is due."""
        self._news.clear()
        due = self._queue.wake_at
        left = None if due is None else max(0.0, due - self._parts.steady())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._news.wait()

    async def _reconcile(self, world: World, key: Key) -> None:
        """Take a step; what goes wrong in it is this experiment's affair alone."""
        began = self._parts.steady()
        try:
            wake_at = await self._step(world, key)
        except Retryable as error:
            log.info("%s/%s waits: %s", *key, error)
            self._look_again(key, error.after)
            outcome = "waits"
        except TunewrightError as error:
            if isinstance(error, Invalid) and not _has_begun(world, key):
                await self._refuse(world, key, error)
                outcome = "refused"
            else:
                await self._read_anew(world, key, error)
                outcome = "read anew"
        except Exception:
            log.exception("%s/%s fails: a bug", *key)
            await self._drop(key)
            self._queue.retry(key, self._parts.steady())
            outcome = "bug"
        else:
            if wake_at is not None:
                self._look_again(key, wake_at - self._parts.clock.now())
            outcome = "done"
        self.figures.reconciled(outcome, self._parts.steady() - began)

    def _look_again(self, key: Key, seconds: float) -> None:
        self._queue.add_at(key, self._parts.steady() + seconds)

    async def _step(self, world: World, key: Key) -> float | None:
        document = world.informers.experiments.get(key)
        if document is not None:
            await self._let_go(world, document)
        if document is None or document["metadata"].get("deletionTimestamp"):
            await self._forget(world, key)
            return None
        driver = self._drivers.get(key)
        if driver is not None and driver.uid != document["metadata"]["uid"]:
            await self._drop(key)
            driver = None
        if driver is None:
            if is_settled(document):
                return await self._expire(world, document)
            driver, document = await self._open(world, key, document)
        wake_at = await driver.step(document)
        if not driver.is_over:
            return wake_at
        await driver.end()
        await self._drop(key)
        self._give_place(key)
        soon = world.clock.now() + AFTER_SECONDS
        ends = expires_at(soon, ttl_of(document), world.limits(key.namespace))
        return wake_at if ends is None else soon

    async def _forget(self, world: World, key: Key) -> None:
        """Forget an experiment that is gone, or being deleted: what it owns goes with it."""
        await self._drop(key)
        self._driven.pop(key, None)
        self._queue.forget(key)
        if world.pod_webhook is not None:
            await world.pod_webhook.forget(key)

    async def _open(self, world: World, key: Key, document: Document) -> tuple[Driver, Document]:
        """Open a driver; return it with the experiment as it was read for that.

        A cache may not have what a driver before this one has just written: then it is read anew.
        """
        known, before = self._driven.get(key), None
        if known is not None and known.uid == document["metadata"]["uid"]:
            document, before = await world.kube.get(EXPERIMENTS, *key), known.created
        driver = self._drivers[key] = await open_driver(world, document, before)
        self._driven[key] = _Driven(driver.uid, driver.created)
        return driver, document

    def _give_place(self, key: Key) -> None:
        """Have those looked at that wait for the place of one that has ended."""
        for other, driver in self._drivers.items():
            if other.namespace == key.namespace and driver.is_held:
                self._look_again(other, AFTER_SECONDS)

    async def _expire(self, world: World, document: Document) -> float | None:
        """Delete an ended experiment whose time is over; return when that is."""
        if not is_driven_here(document):
            return None
        record, _ = experiment_record(document)
        namespace, name = record.key.namespace, record.key.name
        at = expires_at(record.finished_at, ttl_of(document), world.limits(namespace))
        if at is None or world.clock.now() < at:
            return at
        self._notices.say(document, "Normal", reasons.EXPIRED.name, reasons.EXPIRED.message)
        with contextlib.suppress(NotFound, Conflict):
            await world.kube.delete(EXPERIMENTS, namespace, name, uid=record.uid)
        return None

    async def _let_go(self, world: World, document: Document) -> None:
        """Take Katib's finalizers off what is being deleted, an experiment or trials of it."""
        await lift_finalizers(world.kube, EXPERIMENTS, document)
        for trial in world.informers.trials.under(HELD, key_of(document)):
            await lift_finalizers(world.kube, TRIALS, trial)

    async def _read_anew(self, world: World, key: Key, error: TunewrightError) -> None:
        """Open it again after a pause, with what it runs going on meanwhile."""
        log.warning("%s/%s is read anew: %s", *key, error)
        await self._warn(world, key, error)
        await self._drop(key)
        self._queue.retry(key, self._parts.steady())

    async def _refuse(self, world: World, key: Key, error: Invalid) -> None:
        """End an experiment whose document is wrong, with all that is wrong with it."""
        driver = self._drivers.get(key)
        await self._drop(key)
        document = world.informers.experiments.get(key)
        if document is None:
            return
        try:
            if driver is not None:
                await driver.end()
            if world.pod_webhook is not None:
                await world.pod_webhook.forget(key)
            await refuse(world.kube, document, str(error), self._parts.clock.now())
        except TunewrightError as failure:
            log.info("%s/%s cannot be refused now: %s", *key, failure)
            self._queue.retry(key, self._parts.steady())

    async def _warn(self, world: World, key: Key, error: TunewrightError) -> None:
        document = world.informers.experiments.get(key)
        if document is None:
            return
        self._notices.say(document, "Warning", "ReconcileError", f"Failed to reconcile: {error}")
        if isinstance(error, NotFound):
            self._look_again(key, AGAIN_SECONDS)
            with contextlib.suppress(TunewrightError):  # the event tells it, too
                await say_waits(world.kube, document, str(error), self._parts.clock.now())

    async def _drop(self, key: Key) -> None:
        """Forget what is known of an experiment, but for how many trials it has."""
        driver = self._drivers.pop(key, None)
        if driver is None:
            return
        self._driven[key] = _Driven(driver.uid, driver.created)
        try:
            await driver.close()
        except Exception:  # whatever it is, the others are driven on
            log.exception("%s/%s is not closed: a bug", *key)

    async def _keep_sweeping(self, world: World) -> None:
        namespaces = [each for each in self._parts.namespaces if each is not None]
        await keep_sweeping(world.archive, world.informers, namespaces, world.limits, world.clock)

    # Early stops.

    async def _hear_stops(self) -> None:
        """Hear within a second what the metrics service decided, whichever replica of it did."""
        while True:
            await asyncio.sleep(STOPS_SECONDS)
            if not self._drivers:
                continue
            try:
                stops = await self._parts.archive.stops()
            except TunewrightError as error:
                log.info("no early stops are heard of: %s", error)
                continue
            by_uid = {driver.uid: driver for driver in self._drivers.values()}
            for stop in stops:
                driver = by_uid.get(stop.uid)
                if driver is not None:
                    driver.ask_to_stop(stop)


def _kinds(experiments: Cache) -> Mapping[Key, str]:
    """Return of which kind the trials are of experiments that are not settled; it may be open."""
    found = {key: experiments.get(key) for key in experiments.names()}
    return {
        key: kind_of_trials(each)
        for key, each in found.items()
        if each is not None and not is_settled(each)
    }


def _has_begun(world: World, key: Key) -> bool:
    """Whether an experiment has trials: then what is wrong with it now does not end it."""
    document = world.informers.experiments.get(key)
    uid = document["metadata"]["uid"] if document else ""
    return any(is_ours(each, uid) for each in world.informers.trials.under(BY_EXPERIMENT, key))
