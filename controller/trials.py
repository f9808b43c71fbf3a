"""The running trials of an engine: each with its directory, its environment and its metrics."""

import asyncio
import contextlib
import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..api.errors import Retryable, StoreUnwritable
from ..api.history import Proposal
from ..api.observation import Batch, PlainSample, Sample
from ..api.space import Point
from ..db.records import ExperimentRecord
from ..metrics_collector.collection import Collection, OnSamples
from ..metrics_collector.push import PushServer
from ..metrics_collector.spec import CollectorSpec
from .brief import Brief
from .checkpoints import Places, restore
from .local.sharing import METRICS_PORT, free_port
from .ports import AttemptRef, Clock, Output, Workload, Workloads
from .render import TrialIdentity, render

PUSHED = "push"


@dataclass(slots=True)
class _Running:
    ref: AttemptRef
    collection: Collection
    objective: str
    is_started: bool = False
    follower: asyncio.Task[None] | None = None
    waiting: list[PlainSample] = field(default_factory=list)
    pushed: dict[str, int] = field(default_factory=dict)
    latest: Sample | None = None


class RunningTrials:
    """Starts attempts, and turns what they print, write and push into batches.

    Batches go to `on_samples` when `flush` is called, and `on_news` says that
    there is reason to.
    """

    def __init__(
        self,
        workloads: Workloads,
        clock: Clock,
        home: Path,
        *,
        on_samples: Callable[[Batch], None],
        on_news: Callable[[], None],
    ) -> None:
        self._workloads = workloads
        self._clock = clock
        self._home = home
        self._on_samples = on_samples
        self._on_news = on_news
        self._by_index: dict[int, _Running] = {}
        self._stopped: set[str] = set()
        self._push = PushServer(self._on_push)

    async def open(self) -> None:
        await self._push.start()

    async def close(self) -> None:
        for running in self._by_index.values():
            await _cancel(running)
        await self._push.close()

    async def start(
        self,
        ref: AttemptRef,
        proposal: Proposal,
        experiment: ExperimentRecord,
        brief: Brief,
        *,
        run: int,
    ) -> None:
        """Start one attempt; `run` counts those of the point that are done.

        Raises:
            Retryable: not now; the message says what it waits for.
            Terminal: never here; the message says why.
            StoreUnwritable: its directory cannot be written.
        """
        directory = self._home / ref.trial
        parameters = _write_parameters(brief, proposal.point, directory)
        collector, variables = _own(brief, directory)
        places = None if brief.checkpoint is None else Places.of(brief.checkpoint, directory, run)
        if places is not None:
            parent = None if proposal.parent is None else self._home / proposal.parent
            variables |= await asyncio.to_thread(restore, places, parent)
        variables |= {
            "TUNEWRIGHT_EXPERIMENT": experiment.key.name,
            "TUNEWRIGHT_TRIAL": ref.trial,
            "TUNEWRIGHT_ATTEMPT": str(ref.attempt),
            "TUNEWRIGHT_REPEAT": str(run),
            "TUNEWRIGHT_TRIAL_DIR": str(directory),
            "TUNEWRIGHT_PARAMETERS": parameters,
            "TUNEWRIGHT_TOKEN": ref.token,
            "TUNEWRIGHT_REPORT": self._push.address,
            "KATIB_TRIAL_NAME": ref.trial,
        }
        workload = _workload(
            ref,
            proposal.point,
            experiment,
            brief,
            directory=directory,
            variables=variables,
            mounts=() if places is None else places.mounts,
        )
        names = brief.objective.metric_names
        collection = Collection(collector, names, clock=self._clock.now)
        await self._begin(workload, _Running(ref, collection, brief.objective.metric.name))

    async def _begin(self, workload: Workload, running: _Running) -> None:
        """Start it, and follow what it writes; it is known while it starts, for it may report."""
        ref = running.ref
        self._by_index[ref.index] = running
        try:
            await self._workloads.start(workload)
        except BaseException:
            self._by_index.pop(ref.index, None)
            raise
        running.is_started = True
        if running.collection.follows:
            running.follower = asyncio.create_task(running.collection.run(self._follow(running)))

    def is_started(self, ref: AttemptRef) -> bool:
        running = self._by_index.get(ref.index)
        return running is not None and running.ref == ref and running.is_started

    def latest(self, index: int) -> Sample | None:
        running = self._by_index.get(index)
        return running.latest if running else None

    def feed(self, output: Output) -> None:
        running = self._by_index.get(output.ref.index)
        if running is not None and running.ref == output.ref:
            self._take(running, running.collection.feed(output.stream, output.data, output.at))

    async def finish(self, ref: AttemptRef, at: float) -> tuple[str, ...]:
        """Read what is left; return the names of metrics that were seen instead of ours."""
        running = self._by_index.get(ref.index)
        if running is None or running.ref != ref:
            return ()
        await _cancel(running)
        self._take(running, await running.collection.finish(at))
        self._send(running)
        return running.collection.seen

    def forget(self, index: int) -> None:
        running = self._by_index.pop(index, None)
        if running is not None:
            self._stopped.discard(running.ref.token)

    def flush(self) -> None:
        """Hand over what has been collected since the last time."""
        for running in self._by_index.values():
            self._send(running)

    def stop_asked(self, ref: AttemptRef) -> None:
        """Let `should_stop()` of the trial say yes."""
        self._stopped.add(ref.token)

    def _follow(self, running: _Running) -> OnSamples:
        async def take(samples: list[PlainSample]) -> None:
            self._take(running, samples)

        return take

    def _take(self, running: _Running, samples: list[PlainSample]) -> None:
        if not samples:
            return
        running.waiting.extend(samples)
        self._note(running, samples)

    def _note(self, running: _Running, samples: Sequence[PlainSample]) -> None:
        """Remember the objective's newest value, and tell that there is news."""
        for sample in reversed(samples):
            if sample[0] == running.objective:
                running.latest = Sample(*sample)
                break
        self._on_news()

    def _send(self, running: _Running) -> None:
        if not running.waiting:
            return
        ref = running.ref
        self._on_samples(
            running.collection.batch(
                running.waiting, experiment_uid=ref.uid, index=ref.index, attempt=ref.attempt
            )
        )
        running.waiting = []

    async def _on_push(
        self, token: str, source: str, first: int, samples: tuple[PlainSample, ...]
    ) -> tuple[int, bool]:
        running = next(
            (entry for entry in self._by_index.values() if entry.ref.token == token), None
        )
        if running is None:
            raise KeyError(token)
        last = running.pushed.setdefault(source, -1)
        if samples:
            ref = running.ref
            # By its number in the attempt: the store keeps each name, and no process has another's.
            name = f"{PUSHED}/{[*running.pushed].index(source)}"
            self._on_samples(Batch(ref.uid, ref.index, ref.attempt, name, first, samples))
            last = running.pushed[source] = max(last, first + len(samples) - 1)
            self._note(running, samples)
        return last, token in self._stopped


def _own(brief: Brief, directory: Path) -> tuple[CollectorSpec, dict[str, str]]:
    """Return the collector of one trial, which shares neither path nor port, and its variables."""
    collector = brief.collector
    if collector.own_directory is not None:
        # As this process sees the path that is the trial's own.
        return replace(collector, path=str(directory / "files" / collector.path[1:])), {}
    if brief.takes_port:
        port = free_port()
        return replace(collector, port=port), {METRICS_PORT: str(port)}
    return collector, {}


def _write_parameters(brief: Brief, point: Point, directory: Path) -> str:
    """Write the point as typed JSON where the trial finds it; return what was written.

    Raises:
        Retryable: this process has too many files open.
        StoreUnwritable: it cannot be written.
    """
    parameters = json.dumps(brief.problem.space.natives(point))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "parameters.json").open("wb", buffering=0) as file:
            file.write(parameters.encode())
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            remedy = "raise the limit (ulimit -n), or run fewer at once"
            raise Retryable(f"too many files are open: {remedy}") from error
        raise StoreUnwritable(
            f"a trial's directory cannot be written: {error}; "
            "free some space or fix its permissions"
        ) from error
    return parameters


def _workload(
    ref: AttemptRef,
    point: Point,
    experiment: ExperimentRecord,
    brief: Brief,
    *,
    directory: Path,
    variables: Mapping[str, str],
    mounts: tuple[tuple[Path, Path], ...],
) -> Workload:
    private = brief.collector.own_directory
    identity = TrialIdentity(ref.trial, experiment.key.namespace)
    return Workload(
        ref=ref,
        manifest=render(brief.template, point, identity),
        primary_container=brief.primary_container,
        directory=directory,
        workdir=Path(experiment.workdir),
        environment=variables,
        namespace=experiment.key.namespace,
        private=() if private is None else (private,),
        mounts=mounts,
    )


async def _cancel(running: _Running) -> None:
    if running.follower is not None:
        running.follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running.follower
