"""Experiments of a store or of a cluster, reached from this machine.

What an engine has to do is a command in a process of its own, which outlives the client; all
else is done here.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.asked import Answer
from ..api.errors import Conflict, Unsupported
from ..api.space import Value
from . import commands
from .values import Sample
from .verbs import Shape, late

if TYPE_CHECKING:
    from ..db.records import ExperimentRecord, TrialRecord
    from .desk import Desk
    from .sources.source import Source
    from .sources.where import Where


class Direct:
    """Implements `verbs.Verbs`."""

    def __init__(
        self,
        *,
        store: str | None,
        is_cluster: bool,
        context: str | None,
        kubeconfig: str | None,
        namespace: str | None,
    ) -> None:
        self._store = store
        self._is_cluster = is_cluster
        self._context = context
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._desk: Desk | None = None
        self._desk_of = 0  # the process that opened it: nothing of it survives a fork

    def __getstate__(self) -> dict[str, Any]:
        """Leave the desk behind: another process that is given this opens its own."""
        return {**self.__dict__, "_desk": None}

    def close(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None and self._desk_of == os.getpid():
            desk.close()

    # Beginning.

    def create(self, path: Path, workdir: str | None) -> str:
        from .begin import begin

        return str(begin(self._where, path, workdir, _warn).key)  # its namespace need not be ours

    def run(self, path: Path, look: Callable[[], None] | None) -> int:
        words = ["run", str(path), *self._options()]
        if look is not None:
            return commands.watch(words, look)
        self._check(path)
        return commands.show(words)

    def _check(self, path: Path) -> None:
        """Refuse a file in which something is wrong, which a command in a terminal only prints.

        Raises:
            Invalid: something is.
        """
        from ..api.documents import load
        from ..suggestion.check import check_algorithm

        for each in load([path], elsewhere=self._is_cluster).experiments:
            check_algorithm(each.write())

    # Looking.

    def experiments(self) -> Sequence[Shape]:
        from ..db.listing import EVERY, Query

        if not self._where.is_there:
            return []  # `create` makes the store
        with self._where.opened() as source:
            query = Query(source.namespace, limit=EVERY)
            return [_shown(source, each) for each in source.records.find_experiments(query).records]

    def experiment(self, name: str) -> Shape:
        with self._found(name) as (source, record):
            return _shown(source, record)

    def wait(self, name: str, seconds: float | None) -> Shape:
        from .sources.waiting import undriven, wait_for_end

        with self._found(name) as (source, found):
            record = wait_for_end(source, found, seconds, _warn)
            if seconds is not None and not record.state.is_finished:
                raise late(name, record.state, seconds, undriven(source, record))
            return _shown(source, record)

    def trials(self, name: str, state: str | None) -> Sequence[Shape]:
        from ..api.states import TrialState

        states = None if state is None else [TrialState(state)]
        with self._found(name) as (source, record):
            found = source.records.trials(record.uid, states=states, observations=True)
            return [_trial(record, each) for each in found]

    def trial(self, name: str, trial: str) -> Shape:
        with self._found(name) as (source, record):
            return _trial(record, _find(source, record, trial))

    def samples(self, name: str, trial: str, metric: str | None) -> Sequence[Sample]:
        from .names import check_metric

        with self._found(name) as (source, record):
            of = _find(source, record, trial)
            if of.observation:  # until then none is wrong
                check_metric(record, of, metric)
            found = source.records.samples(record.uid, of.index, metric=metric)
            return [Sample(*each) for each in found]

    def log(self, name: str, trial: str, *, follow: bool) -> Iterator[str]:
        from codecs import getincrementaldecoder

        decoder = getincrementaldecoder("utf-8")(errors="replace")
        with self._found(name) as (source, record):
            found = _find(source, record, trial)
            for part in source.log(record, found, stream="stdout", tail=None, follow=follow):
                yield decoder.decode(part)
        yield decoder.decode(b"", final=True)

    def events(self, name: str) -> Sequence[Shape]:
        from .shapes import event as shape

        with self._found(name) as (source, record):
            return [shape(each) for each in source.records.events(record.uid, limit=1000)]

    def explain(self, name: str) -> Sequence[str]:
        with self._found(name) as (source, record):
            return source.explain(record)

    # Changing.

    def pause(self, name: str, *, now: bool) -> None:
        with self._found(name) as (source, record):
            if not record.state.is_finished:
                source.suspend(record, suspended=True, now=now)

    def resume(self, name: str) -> None:
        from .resume import resume

        resume(self._where, name, _warn)

    def stop(self, name: str) -> None:
        with self._found(name) as (source, record):
            if record.state.is_finished:
                return
            if source.is_driven(record):
                with suppress(Conflict):  # who drives it may leave at this moment
                    source.stop(record)
                    return
        commands.run(["stop", name, *self._options()])  # which is an engine to end it

    def delete(self, name: str) -> None:
        with self._found(name) as (source, record):
            source.check_deletable(record)
            source.delete(record)

    def edit(self, name: str, changes: Mapping[str, Any]) -> None:
        from ..api.documents import parse
        from ..controller.edits import edited

        with self._found(name) as (source, record):
            parse(edited(record.document, changes))
            source.edit(record, changes, now=False)

    def change_trial(self, name: str, trial: str, verb: str) -> None:
        with self._found(name) as (source, record):
            index = _find(source, record, trial).index
            _tell(source.ask(record, f"trial-{verb}", {"index": index}))

    def add_trial(self, name: str, values: Mapping[str, Value]) -> None:
        from .points import point_of

        with self._found(name) as (source, record):
            point = dict(point_of(record, values))
            _tell(source.ask(record, "trial-add", {"point": point}))

    # Trials that people run themselves.

    def answer(self, name: str) -> Answer:
        return self._asking().ask(self._record(name))

    def told(
        self, name: str, index: int, token: str, values: Mapping[str, float], failed: str | None
    ) -> bool:
        return self._asking().tell(self._record(name), index, token, values, failed)

    def _asking(self) -> "Desk":
        from .desk import Desk

        if self._is_cluster:
            raise Unsupported("a cluster runs its trials itself: ask and tell need a store")
        if self._desk is None or self._desk_of != os.getpid():
            self._desk, self._desk_of = Desk(self._where.place), os.getpid()
        return self._desk

    # Where things are.

    @property
    def _where(self) -> "Where":
        from .sources.where import Where

        return Where(
            self._store or os.environ.get("TUNEWRIGHT_STORE"),
            self._namespace,
            self._context,
            self._kubeconfig,
            self._is_cluster,
        )

    @contextmanager
    def _found(self, name: str) -> "Iterator[tuple[Source, ExperimentRecord]]":
        from .names import find_experiment

        with self._where.opened() as source:
            yield source, find_experiment(source.records, name, source.namespace)

    def _record(self, name: str) -> "ExperimentRecord":
        with self._found(name) as (_, record):
            return record

    def _options(self) -> list[str]:
        """Return what tells a command where these experiments are."""
        words = [] if self._store is None else ["--store", self._store]
        words += ["--cluster"] if self._is_cluster else []
        words += [] if self._context is None else ["--context", self._context]
        words += [] if self._kubeconfig is None else ["--kubeconfig", self._kubeconfig]
        return words + ([] if self._namespace is None else ["--namespace", self._namespace])


def _tell(later: str) -> None:
    """Warn where what was asked for is carried out later, if at all."""
    if later:
        _warn(later)


def _warn(said: str) -> None:
    warnings.warn(said, RuntimeWarning, stacklevel=2)


def _shown(source: "Source", record: "ExperimentRecord") -> Shape:
    from .shapes import experiment

    return {**experiment(record), "document": record.document, **source.whereabouts(record)}


def _find(source: "Source", record: "ExperimentRecord", trial: str) -> "TrialRecord":
    from .names import find_trial

    return find_trial(source.records, record, trial, observations=True)


def _trial(record: "ExperimentRecord", trial: "TrialRecord") -> Shape:
    from ..api.excerpts import objective_of
    from .shapes import trial as shape

    return shape(trial, objective_of(record.document))
