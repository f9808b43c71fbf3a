"""What the page works on: the experiments of one place, read here, begun and ended by engines."""

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..api.asked import Answer
from ..api.documents import Bundle, load_texts, parse
from ..api.errors import Conflict, Fault, Invalid, NotFound
from ..api.identity import ExperimentKey
from ..api.space import Value
from ..controller.edits import EDITABLE, LABELS, NOTE, edited
from ..db.listing import Feed, Found, Query, shown_state
from ..db.records import ExperimentRecord, TrialRecord
from ..sdk import shapes
from ..sdk.client import Client
from ..sdk.commands import CommandFailed
from ..sdk.names import find_trial, missing
from ..sdk.points import point_of
from ..sdk.sources.source import Source
from ..sdk.sources.waiting import is_interrupted
from .access import OWNER, Asker
from .curves import Curves
from .needs import CREATE, LIST, LOOK
from .table import Table

_DONE = {"stop": "is being stopped", "retry": "runs again", "drop": "is dropped"}
_TABLES = 32
"""How many experiments are held in memory; the one asked for longest ago goes first."""


class Board:
    """An open source, and the commands that start engines. Safe from several threads.

    It shows what its asker may look at; what else a request takes is said by `needs`.
    """

    def __init__(self, source: Source, client: Client, workdir: Path) -> None:
        self.source = source
        self.workdir = workdir
        self._client = client
        self._asker: Asker = OWNER
        source.keep_up()
        self.curves = Curves(source.records)
        self._tables: OrderedDict[str, Table] = OrderedDict()
        self._lock = threading.Lock()

    def seen_by(self, asker: Asker) -> "Board":
        """Return it for somebody who may not look at everything."""
        seen = copy.copy(self)
        seen._asker = asker
        return seen

    @property
    def is_cluster(self) -> bool:
        return self._client.is_cluster

    # Looking.

    def shows(self, namespace: str) -> bool:
        """Say whether whoever asks may know which experiments a namespace has."""
        return self._asker.may(LIST) or self._asker.may(LIST.within(namespace))

    def find(self, query: Query) -> Found:
        """Return a page of the experiments that match, of those that this page shows."""
        records = self.source.records
        asked = replace(query, namespace=self.source.namespace)
        if not self._asker.may(LIST):
            there = {each.key.namespace for each in records.experiments(namespace=asked.namespace)}
            asked = replace(asked, within=frozenset(filter(self.shows, there)))
        return records.find_experiments(asked)

    def feed(self) -> Feed:
        return self.source.records.feed(self.source.namespace)

    def row(self, record: ExperimentRecord) -> dict[str, Any]:
        """Return an experiment as a list of them shows it."""
        return {
            **shapes.experiment(record),
            "shown_state": shown_state(record),
            "driven": not is_interrupted(self.source, record),
        }

    def experiment(self, namespace: str, name: str) -> ExperimentRecord:
        """Return an experiment with its best trials.

        Raises:
            NotFound: there is none.
            Forbidden: it is not for the asker to see.
        """
        self._asker.check(LOOK.within(namespace))
        try:
            return self.source.records.experiment(ExperimentKey(namespace, name))
        except NotFound:
            raise missing(self.source.records, name, namespace) from None

    def trial(self, record: ExperimentRecord, word: str) -> TrialRecord:
        """Return a trial by its index, its name, `best` or `last`."""
        return find_trial(self.source.records, record, word, observations=True)

    def trials(self, record: ExperimentRecord, indexes: Sequence[int]) -> Iterator[TrialRecord]:
        """Yield those that are still there: a trial's resource may be deleted.

        What lies together is read at once: one by one it takes some queries each.
        """
        first, last = min(indexes, default=0), max(indexes, default=-1)
        if last - first < 2 * len(indexes):
            read = self.source.records.trials(
                record.uid, after=first - 1, limit=last - first + 1, observations=True
            )
            found = {each.index: each for each in read}
            yield from (found[index] for index in indexes if index in found)
            return
        for index in indexes:
            with suppress(NotFound):
                yield self.trial(record, str(index))

    def table(self, record: ExperimentRecord) -> Table:
        """Return the experiment's trials, as they are now."""
        with self._lock:
            table = self._tables.pop(record.uid, None) or Table(self.source.records, record)
            self._tables[record.uid] = table
            while len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        table.refresh()
        return table

    # Beginning.

    def check(self, text: str) -> Bundle:
        """Read a file of Experiments.

        Raises:
            Invalid: with every fault.
        """
        bundle = load_texts([(None, text)], elsewhere=self.is_cluster)
        if not bundle.experiments:
            raise Invalid([Fault("", "there is no Experiment in it", "kind: Experiment")])
        return bundle

    def begin(self, text: str, workdir: str | None = None) -> ExperimentKey:
        """Begin the first Experiment of a file, with an engine of its own.

        Raises:
            Invalid: with every fault.
            Conflict: it cannot run here, or its name is taken; the message says why.
        """
        bundle = self.check(text)
        if len(bundle.experiments) > 1:
            raise Invalid([Fault("", "there are several Experiments in it", "start one at a time")])
        if self.is_cluster:
            self._asker.check(CREATE.within(self._namespace(bundle)))
        with TemporaryDirectory(prefix="tunewright-") as folder:
            path = Path(folder) / "experiment.yaml"
            path.write_text(text, encoding="utf-8")
            with _refusals():
                begun = self._client.create(path, workdir=workdir or str(self.workdir))
        return ExperimentKey(begun.namespace, begun.name)

    def _namespace(self, bundle: Bundle) -> str:
        """Return where an experiment of a cluster goes."""
        namespace = bundle.experiments[0].metadata.namespace or self.source.namespace
        if not namespace:
            remedy = "name its namespace"
            raise Invalid([Fault("metadata.namespace", "it is missing", remedy)])
        return namespace

    # Changing. Each returns what is to be said.

    def pause(self, record: ExperimentRecord, *, now: bool = False) -> str:
        _refuse_ended(record)
        self.source.suspend(record, suspended=True, now=now)
        return f"{record.key.name} starts no more trials."

    def resume(self, record: ExperimentRecord) -> str:
        with _refusals():
            self._client.resume(str(record.key))
        return f"{record.key.name} is resumed."

    def stop(self, record: ExperimentRecord) -> str:
        _refuse_ended(record)
        with _refusals():
            self._client.stop(str(record.key))
        return f"{record.key.name} is being stopped."

    def delete(self, record: ExperimentRecord) -> str:
        self.source.check_deletable(record)
        self.source.delete(record)
        return f"{record.key.name} is deleted."

    def edit(
        self,
        record: ExperimentRecord,
        budgets: Mapping[str, Any],
        labels: Mapping[str, str | None],
        note: str | None,
    ) -> str:
        """Change budgets, by their path below `spec`, labels, and the note.

        Raises:
            Invalid: a value is wrong, or may not be changed.
        """
        changes = _changes(budgets, labels, note)
        parse(edited(record.document, changes))
        self.source.edit(record, changes, now=False)
        said = [
            f"{path} is {'removed' if value is None else value}" for path, value in budgets.items()
        ]
        said += ["its labels are saved"] if labels else []
        said += ["its note is saved"] if note is not None else []
        return ", ".join(said)

    def change_trial(self, record: ExperimentRecord, index: int, verb: str) -> str:
        """Stop, retry or drop a trial."""
        self.source.records.trial(record.uid, index)
        later = self.source.ask(record, f"trial-{verb}", {"index": index})
        return later or f"trial {index} {_DONE[verb]}"

    def add_trial(self, record: ExperimentRecord, values: Mapping[str, Value]) -> str:
        """Add a trial with a value of every parameter.

        Raises:
            Invalid: they are no point of the search space.
        """
        point = dict(point_of(record, values))
        return self.source.ask(record, "trial-add", {"point": point}) or "a trial is added"

    # Trials that people run themselves.

    def ask(self, record: ExperimentRecord) -> Answer:
        """Give a point out, if there is one now."""
        return self._client.answer(str(record.key))

    def tell(
        self,
        record: ExperimentRecord,
        index: int,
        token: str,
        metrics: Mapping[str, float],
        failed: str | None,
    ) -> bool:
        """Take what came of a point; say whether it counts."""
        return self._client.told(str(record.key), index, token, metrics, failed)


def _changes(
    budgets: Mapping[str, Any], labels: Mapping[str, str | None], note: str | None
) -> dict[str, Any]:
    """Return changes as `controller.edits` writes them.

    Raises:
        Invalid: there are none, or a path may not be changed.
    """
    allowed = f"one of {', '.join(EDITABLE)}"
    faults = [
        Fault(f"spec.{path}", "it can no longer be changed", allowed)
        for path in budgets
        if path not in EDITABLE
    ]
    changes: dict[str, Any] = {**budgets}
    changes |= {LABELS: labels} if labels else {}
    changes |= {NOTE: note} if note is not None else {}
    if faults or not changes:
        raise Invalid(faults or [Fault("spec", "there is nothing to change", allowed)])
    return changes


@contextmanager
def _refusals() -> Iterator[None]:
    """Let what a command refuses be a conflict: the request was understood."""
    try:
        yield
    except CommandFailed as error:
        raise Conflict(str(error)) from error


def _refuse_ended(record: ExperimentRecord) -> None:
    if record.state.is_finished:
        raise Conflict(f"{record.key.name} has ended already ({record.state})")
