"""`Client`: experiments from Python, on this machine or on a cluster, with the same verbs.

What an engine has to do on this machine is a command in a process of its own,
which outlives the client; all else is done here.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsFloat

from ..api.errors import Unsupported
from . import commands
from .report import values_of
from .results import Experiment, Point, Sample, Trial

if TYPE_CHECKING:
    from ..controller.ask_tell import Answer
    from ..db.records import ExperimentRecord, TrialRecord
    from .desk import Desk
    from .sources.place import Place
    from .sources.source import Source

_BEGUN = re.compile(
    r"^(?P<name>\S+) (runs in the background|is created|is there already|runs already)",
    re.MULTILINE,
)
_LOOK_SECONDS = 0.3
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 1.0
"""Seconds between two times of asking, while there is no point."""


class Client:
    """Experiments of a store on this machine or, with `cluster`, of a cluster.

    `store` is a file or a database's URL, by default the one that the command line
    uses. `cluster` is True for the current context of the kubeconfig, or the name
    of a context; `kubeconfig` names another file.

    >>> from tunewright import search
    >>> experiment = Client().create({
    ...     "apiVersion": "kubeflow.org/v1beta1",
    ...     "kind": "Experiment",
    ...     "metadata": {"name": "kettle"},
    ...     "spec": {
    ...         "objective": {"type": "minimize", "objectiveMetricName": "seconds"},
    ...         "maxTrialCount": 3,
    ...         "askTell": {},
    ...         **search.parameters({"power": search.double(1000, 3000)}),
    ...     },
    ... })
    >>> while (point := experiment.ask()) is not None:
    ...     experiment.tell(point, seconds=400_000 / point.parameters["power"])
    True
    True
    True
    >>> Client().experiment("kettle").state
    'Succeeded'

    What is refused raises the error that says why, here and on a cluster: `NotFound`,
    `Conflict`, `Invalid` with its `faults`, and the others of `tunewright.api.errors`.
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | None = None,
        cluster: bool | str = False,
        kubeconfig: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
    ) -> None:
        if store is not None and (cluster or kubeconfig is not None):
            raise ValueError("a cluster has no store: name one of them")
        self.is_cluster = bool(cluster) or kubeconfig is not None
        self.namespace = namespace
        self._store = None if store is None else os.fspath(store)
        self._context = cluster if isinstance(cluster, str) else None
        self._kubeconfig = None if kubeconfig is None else os.fspath(kubeconfig)
        self._desk: Desk | None = None
        self._desk_of = 0  # the process that opened it: nothing of it survives a fork

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what asking for points keeps open; a later call opens it again."""
        desk, self._desk = self._desk, None
        if desk is not None and self._desk_of == os.getpid():
            desk.close()

    # Beginning.

    def create(
        self,
        experiment: Mapping[str, Any] | str | os.PathLike[str],
        *,
        workdir: str | os.PathLike[str] | None = None,
    ) -> Experiment:
        """Begin an experiment, given as a document or a file's path, and return at once.

        `workdir` is where trials of this machine start, by default the current directory.
        One with `spec.askTell` waits for `ask`; another is run by an engine of its own, here,
        or by the cluster's operator.

        Raises:
            Invalid: the document is wrong; `faults` lists everything that is.
            Conflict: another spec has the name; the message shows the difference.
            Unsupported: it cannot run here; the message says where it can.
        """
        if not isinstance(experiment, Mapping):
            return self._create(Path(experiment), workdir)
        with written(experiment) as path:
            return self._create(path, workdir)

    def _create(self, path: Path, workdir: str | os.PathLike[str] | None) -> Experiment:
        where = [] if workdir is None or self.is_cluster else ["--workdir", os.fspath(workdir)]
        words = ["run", str(self.checked(path)), "--detach", *where, *self._options()]
        said = commands.run(words)
        begun = _BEGUN.search(said)
        if begun is None:
            raise commands.CommandFailed(said.strip())
        return self.experiment(begun["name"])

    def checked(self, path: Path) -> Path:
        """Return the path of a file in which nothing is wrong.

        Raises:
            Invalid: something is.
        """
        from ..api.documents import load
        from ..suggestion.check import check_algorithm

        for each in load([path], elsewhere=self.is_cluster).experiments:
            check_algorithm(each.write())
        return path

    def run(self, path: Path, *options: str, quiet: bool = False) -> int:
        """Drive a file's experiment to its end here, shown in this terminal.

        Returns 0, or 1 when it failed. It raises what `create` raises.
        """
        words = ["run", str(self.checked(path)), *options, *self._options()]
        return commands.show(words, quiet=quiet)

    # Looking.

    def experiments(self) -> Sequence[Experiment]:
        """Return all, of the client's namespace if it has one, newest first."""
        with self._source() as source:
            records = source.records
            found = records.experiments(namespace=source.namespace)
            return [self._shown(source, records.experiment(each.key)) for each in found]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment as it is now.

        Raises:
            NotFound: there is none of that name.
        """
        with self._found(name) as (source, record):
            return self._shown(source, record)

    def trials(self, name: str, *, state: str | None = None) -> Sequence[Trial]:
        """Return its trials by index, those in one `state` alone if it is named."""
        from ..api.states import TrialState

        states = None if state is None else [TrialState(state)]
        with self._found(name) as (source, record):
            found = source.records.trials(record.uid, states=states, observations=True)
            return [_trial(record, each) for each in found]

    def trial(self, name: str, trial: int | str) -> Trial:
        """Return a trial by its index, its name, `best` or `last`.

        Raises:
            NotFound: there is no such trial.
        """
        with self._found(name) as (source, record):
            return _trial(record, _find(source, record, trial))

    def best(self, name: str) -> Trial:
        """Return the best trial.

        Raises:
            NotFound: nothing was observed yet.
        """
        return self.trial(name, "best")

    def metrics(
        self, name: str, trial: int | str = "best", *, metric: str | None = None
    ) -> Sequence[Sample]:
        """Return every value that a trial's last attempt reported, in order.

        Raises:
            Unsupported: a cluster keeps them in its metrics service, which is not reached.
        """
        with self._found(name) as (source, record):
            index = _find(source, record, trial).index
            found = source.records.samples(record.uid, index, metric=metric)
            return [Sample(*each) for each in found]

    def logs(self, name: str, trial: int | str = "best") -> str:
        """Return what a trial has printed."""
        return "".join(self._log(name, trial, follow=False))

    def follow_logs(self, name: str, trial: int | str = "last") -> Iterator[str]:
        """Yield what a trial prints until it has ended."""
        return self._log(name, trial, follow=True)

    def _log(self, name: str, trial: int | str, *, follow: bool) -> Iterator[str]:
        from codecs import getincrementaldecoder

        decoder = getincrementaldecoder("utf-8")(errors="replace")
        with self._found(name) as (source, record):
            found = _find(source, record, trial)
            for part in source.log(record, found, stream="stdout", tail=None, follow=follow):
                yield decoder.decode(part)
        yield decoder.decode(b"", final=True)

    def events(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return what happened, oldest first: `at`, `kind`, `reason`, `message`, `trial`."""
        from .shapes import event as shape

        with self._found(name) as (source, record):
            return [shape(each) for each in source.records.events(record.uid, limit=1000)]

    def explain(self, name: str) -> str:
        """Say why the experiment is where it is."""
        with self._found(name) as (source, record):
            return "\n".join(source.explain(record))

    def wait(self, name: str, *, timeout: float | None = None) -> Experiment:
        """Wait until an experiment has ended, however it did.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self._found(name) as (source, found):
            record = found
            while not record.state.is_finished:
                if until is not None and time.monotonic() >= until:
                    driven = "" if source.is_driven(record) else "; nothing drives it now"
                    raise TimeoutError(f"{name} is {record.state} after {timeout:g} s{driven}")
                source.rest(_LOOK_SECONDS)
                record = source.records.experiment(record.key)
            return self._shown(source, record)

    # Changing.

    def pause(self, name: str, *, now: bool = False) -> None:
        """Start no more trials; `now` stops those that run, too."""
        with self._found(name) as (source, record):
            if not record.state.is_finished:
                source.suspend(record, suspended=True, now=now)

    def resume(self, name: str) -> None:
        """Go on with what was paused or interrupted."""
        commands.run(["resume", name, "--detach", *self._options()])

    def stop(self, name: str) -> None:
        """End it, and keep what it found."""
        commands.run(["stop", name, *self._options()])

    def delete(self, name: str) -> None:
        """Remove it with all that it recorded.

        Raises:
            Conflict: it is running.
        """
        with self._found(name) as (source, record):
            source.check_deletable(record)
            source.delete(record)

    def edit(
        self,
        name: str,
        *,
        max_trials: int | None = None,
        parallel: int | None = None,
        max_failed: int | None = None,
        goal: float | None = None,
        labels: Mapping[str, str | None] | None = None,
        note: str | None = None,
    ) -> None:
        """Change its budget, its labels (None takes one away) and its note.

        Raises:
            Invalid: it cannot be so.
            ValueError: there is nothing to change.
        """
        from ..api.documents import parse
        from ..controller.edits import LABELS, NOTE, edited

        given = {
            "maxTrialCount": max_trials,
            "parallelTrialCount": parallel,
            "maxFailedTrialCount": max_failed,
            "objective.goal": goal,
            LABELS: labels or None,
            NOTE: note,
        }
        changes = {path: value for path, value in given.items() if value is not None}
        if not changes:
            raise ValueError("there is nothing to change: name max_trials, parallel, …")
        with self._found(name) as (source, record):
            parse(edited(record.document, changes))
            source.edit(record, changes, now=False)

    # Trials that people run themselves.

    def ask(self, name: str, *, timeout: float | None = None) -> Point | None:
        """Return a point to try, or None when the experiment is over.

        It waits while there is none: while the experiment is paused, or until others have
        told what the algorithm has to know. Whoever does not tell within `spec.askTell`'s
        lease loses the point to another.

        Raises:
            TimeoutError: there was none within so many seconds; the message says why.
            Unsupported: the experiment runs its trials itself.
        """
        until = None if timeout is None else time.monotonic() + timeout
        look = SHORTEST_LOOK
        while True:
            answer = self.answer(name)
            if answer.point is not None or answer.over:
                return answer.point
            if until is not None and time.monotonic() + look > until:
                raise TimeoutError(f"{name} has no point: {'; '.join(answer.why)}")
            time.sleep(look)
            look = min(2 * look, LONGEST_LOOK)

    def answer(self, name: str) -> "Answer":
        """Ask once, without waiting: a point, or why there is none now."""
        return self._asking().ask(self._record(name))

    def tell(
        self,
        name: str,
        point: Point,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        """Tell what came of a point: its metrics, or why it `failed`.

        Returns whether it counts: it does not when the lease was over and another was given
        the point, or when the experiment has ended meanwhile.

        Raises:
            Invalid: the objective is not among the metrics.
            ValueError: a value is no number.
        """
        return self.told(name, point.index, point.token, values_of(metrics, more), failed)

    def told(
        self,
        name: str,
        index: int,
        token: str,
        values: Mapping[str, float],
        failed: str | None = None,
    ) -> bool:
        """Take what came of a point that is known by its trial's index and its token."""
        return self._asking().tell(self._record(name), index, token, values, failed)

    def _asking(self) -> "Desk":
        from .desk import Desk

        if self.is_cluster:
            raise Unsupported("a cluster runs its trials itself: ask and tell need a store")
        if self._desk is None or self._desk_of != os.getpid():
            self._desk, self._desk_of = Desk(self._place), os.getpid()
        return self._desk

    # Where things are.

    @property
    def _place(self) -> "Place":
        from .sources.place import Place

        return Place.of(self._store or os.environ.get("TUNEWRIGHT_STORE"))

    @contextmanager
    def _source(self) -> "Iterator[Source]":
        from .sources.where import Where

        where = Where(
            self._store or os.environ.get("TUNEWRIGHT_STORE"),
            self.namespace,
            self._context,
            self._kubeconfig,
            self.is_cluster,
        )
        with where.opened() as source:
            yield source

    @contextmanager
    def _found(self, name: str) -> "Iterator[tuple[Source, ExperimentRecord]]":
        from .names import find_experiment

        with self._source() as source:
            yield source, find_experiment(source.records, name, source.namespace)

    def _record(self, name: str) -> "ExperimentRecord":
        with self._found(name) as (_, record):
            return record

    def _shown(self, source: "Source", record: "ExperimentRecord") -> Experiment:
        from .shapes import experiment

        data = {**experiment(record), "document": record.document, **source.whereabouts(record)}
        return Experiment.read(data, self)

    def _options(self) -> list[str]:
        """Return what tells a command where this client's experiments are."""
        words = [] if self._store is None else ["--store", self._store]
        words += ["--cluster"] if self.is_cluster else []
        words += [] if self._context is None else ["--context", self._context]
        words += [] if self._kubeconfig is None else ["--kubeconfig", self._kubeconfig]
        return words + ([] if self.namespace is None else ["--namespace", self.namespace])


@contextmanager
def written(document: Mapping[str, Any]) -> Iterator[Path]:
    """Have a document as a file for the time of a block."""
    with tempfile.TemporaryDirectory(prefix="tunewright-") as folder:
        path = Path(folder) / "experiment.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        yield path


def _find(source: "Source", record: "ExperimentRecord", trial: int | str) -> "TrialRecord":
    from .names import find_trial

    return find_trial(source.records, record, str(trial), observations=True)


def _trial(record: "ExperimentRecord", trial: "TrialRecord") -> Trial:
    from ..api.compile import objective_of
    from .shapes import trial as shape

    return Trial.read(shape(trial, objective_of(record.document)))
