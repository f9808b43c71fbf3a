"""What people read of a cluster's experiments: its resources, as the records of a store.

Implements `reading.Records`. An experiment alone is one request, its trials are
read together when they are asked for. A trial whose resource was deleted is not
there; of the metrics a resource has least, greatest and last value, all others
are the observation service's to tell.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...api.compile import search_space
from ...api.errors import Conflict, NotFound, Unsupported
from ...api.excerpts import objective_of
from ...api.experiment import ExperimentSpec
from ...api.history import Entry, Finished
from ...api.identity import ExperimentKey, trial_name
from ...api.moments import read
from ...api.observation import Observation, Sample
from ...api.states import TrialState
from ...db.listing import Feed, Found, Query, selected
from ...db.records import (
    AttemptRecord,
    EventRow,
    ExperimentRecord,
    Provenance,
    Totals,
    TrialRecord,
    View,
)
from .book import Book
from .catalog import Catalog, CatalogFeed
from .experiments import experiment_record
from .followed import Followed
from .observations import API_VERSION, read_sample, trial_path
from .port import Document, Selection, name_of, namespace_of
from .resources import EVENTS, EXPERIMENTS, TRIALS
from .session import Session
from .trials import experiment_of, is_ours, page_of

_SERVED_SECONDS = 30.0
"""How long single values are taken for served, once they were."""

NO_OBSERVATIONS = (
    "the cluster does not serve single values: that is the component"
    " deploy/components/observations, which its administrator can add"
)

_COUNTS = {
    "trialsSucceeded": TrialState.SUCCEEDED,
    "trialsFailed": TrialState.FAILED,
    "trialsKilled": TrialState.KILLED,
    "trialsPending": TrialState.CREATED,
    "trialsRunning": TrialState.RUNNING,
    "trialsEarlyStopped": TrialState.EARLY_STOPPED,
    "trialMetricsUnavailable": TrialState.METRICS_UNAVAILABLE,
}


class ClusterRecords:
    """Remembers the experiments that it has read, and follows those whose trials were asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._documents: dict[str, Document] = {}
        self._followed: dict[str, Followed] = {}
        self._catalogs: dict[str | None, Catalog] = {}
        self._best: dict[str, tuple[str, TrialRecord]] = {}
        self._keeps_up = False
        self._served_until = 0.0

    def keep_up(self) -> None:
        """Follow beside, from now on, for as long as somebody asks; several threads may."""
        self._keeps_up = True

    def go_on(self, seconds: int) -> bool:
        """Learn what changes in the trials that are followed; whether there are any."""
        for followed in self._followed.values():
            followed.go_on(seconds)
        return bool(self._followed)

    def _document(self, uid: str) -> Document:
        """Return an experiment's resource, as it was read last.

        Raises:
            NotFound: it has been deleted since.
        """
        document = self._documents.get(uid)
        if document is None:
            raise NotFound("the experiment has been deleted")
        return document

    def _forget(self, uid: str) -> None:
        """Forget an experiment that was deleted: whoever lists for months would hold them all."""
        self._documents.pop(uid, None)
        self._best.pop(uid, None)

    def resource(self, record: ExperimentRecord, trial: TrialRecord) -> Document:
        """Return a trial's resource, as it is now."""
        return self._session.get(TRIALS, record.key.namespace, trial.name)

    # Experiments.

    def experiments(
        self, *, name: str | None = None, namespace: str | None = None
    ) -> Sequence[ExperimentRecord]:
        fields = "" if name is None else f"metadata.name={name}"
        found = self._session.list(Selection(EXPERIMENTS, namespace, fields=fields))
        records = [self.take(document) for document in found]
        return sorted(records, key=lambda record: record.created_at, reverse=True)

    def find_experiments(self, query: Query) -> Found:
        """List them, where nobody follows them, and leave to the server what it can tell apart."""
        catalog = self._catalogs.get(query.namespace)
        if catalog is not None:
            records: Iterable[ExperimentRecord] = catalog.records()
        else:
            labels = ",".join(
                name if value is None else f"{name}={value}" for name, value in query.labels
            )
            listed = self._session.list(Selection(EXPERIMENTS, query.namespace, labels))
            records = map(self.take, listed)
        found = selected(query, records)
        page = found[query.offset : query.offset + query.limit]
        return Found([self._with_best(record) for record in page], len(found))

    def feed(self, namespace: str | None = None) -> Feed:
        if namespace not in self._catalogs:
            self._catalogs[namespace] = Catalog(self._session, namespace, self.take, self._forget)
        return CatalogFeed(self._catalogs[namespace], self._with_best)

    def experiment(self, key: ExperimentKey) -> ExperimentRecord:
        record = self.take(self._session.get(EXPERIMENTS, key.namespace, key.name))
        if record.uid in self._followed:
            return self._book(record.uid).view(record.uid).experiment
        return self._with_best(record)

    def _with_best(self, record: ExperimentRecord) -> ExperimentRecord:
        """Add the best trial, which is asked for once."""
        optimal = (record.document.get("status") or {}).get("currentOptimalTrial") or {}
        name = optimal.get("bestTrialName")
        if not name:
            return record
        known, best = self._best.get(record.uid, ("", None))
        if best is None or known != name:
            try:
                document = self._session.get(TRIALS, record.key.namespace, name)
                if not is_ours(document, record.uid):
                    return record
                best = _told(self._read(record.uid, document))
            except NotFound:
                return record  # somebody deleted it, or its experiment
            self._best[record.uid] = (name, best)
        return replace(record, best=(best,))

    def take(self, document: Document) -> ExperimentRecord:
        """Read an experiment's resource, and remember it."""
        record, _ = experiment_record(document)
        self._documents[record.uid] = document
        return replace(record, totals=_totals(document.get("status") or {}))

    # Trials.

    def view(self, uid: str) -> View:
        key = experiment_record(self._document(uid))[0].key
        self.take(self._session.get(EXPERIMENTS, key.namespace, key.name))
        return self._book(uid).view(uid)

    def history(self, uid: str, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        return self._book(uid).history(uid, after, limit)

    def trials(
        self,
        uid: str,
        *,
        states: Sequence[TrialState] | None = None,
        after: int = -1,
        limit: int | None = None,
        newest_first: bool = False,
        observations: bool = False,
    ) -> Sequence[TrialRecord]:
        del observations
        pages = self._book(uid).pages
        indexes = sorted(pages, reverse=newest_first)
        if newest_first and after >= 0:
            indexes = [index for index in indexes if index < after]
        elif not newest_first:
            indexes = [index for index in indexes if index > after]
        found = (pages[index].record for index in indexes)
        wanted = [_told(each) for each in found if states is None or each.state in states]
        return wanted[:limit]

    def trial(self, uid: str, index: int) -> TrialRecord:
        if uid not in self._followed:
            document = self._document(uid)
            name = trial_name(name_of(document), uid, index)
            with contextlib.suppress(NotFound):  # a plug-in may have named it
                found = self._session.get(TRIALS, namespace_of(document), name)
                return _told(self._read(uid, found))
        return _told(self._book(uid).trial(uid, index))

    def best_trials(self, uid: str, limit: int) -> Sequence[TrialRecord]:
        if limit == 1:
            return self.experiment(experiment_record(self._document(uid))[0].key).best
        book = self._book(uid)
        ranked = [
            (loss, entry.position)
            for entry in book.history(book.experiment.uid)
            if isinstance(entry, Finished)
            and (loss := entry.loss(book.objective)) is not None
            and book.pages[entry.index].dropped_at is None
        ]
        by_position = {
            page.finished.position: page for page in book.pages.values() if page.finished
        }
        return [_told(by_position[position].record) for _, position in sorted(ranked)[:limit]]

    def find_trial(self, name: str, namespace: str | None = None) -> tuple[str, int]:
        named = self._session.list(Selection(TRIALS, namespace, fields=f"metadata.name={name}"))
        found = [(uid, each) for each in named if (uid := experiment_of(each)) is not None]
        if not found:
            raise NotFound(f"no trial is called {name}")
        if len(found) > 1:
            listed = ", ".join(sorted(namespace_of(each) for _, each in found))
            raise Conflict(f"{name} is in the namespaces {listed}: name one with --namespace")
        ((uid, trial),) = found
        return uid, int(trial["spec"]["index"])

    def observation(self, uid: str, index: int, attempt: int | None = None) -> Observation:
        del attempt
        return self.trial(uid, index).observation or {}

    def attempts(self, uid: str, index: int) -> Sequence[AttemptRecord]:
        last = self.trial(uid, index).attempt
        return () if last is None else (last,)

    def provenance(self, uid: str) -> Sequence[Provenance]:
        """Return nothing: which code runs is said by the trials' image."""
        del uid
        return ()

    def _book(self, uid: str) -> Book:
        document = self._document(uid)
        followed = self._followed.get(uid)
        if followed is None or followed.is_over:
            self._followed = {k: each for k, each in self._followed.items() if not each.is_over}
            followed = self._followed[uid] = Followed(self._session, document)
            if self._keeps_up:
                followed.keep_up()
        return followed.book(document)

    def _read(self, uid: str, trial: Document) -> TrialRecord:
        document = self._document(uid)
        space = search_space(ExperimentSpec.read(document["spec"]))
        return page_of(trial, objective_of(document), space).record

    # Values and events.

    def samples(
        self,
        uid: str,
        index: int,
        *,
        metric: str | None = None,
        since: float | None = None,
        until: float | None = None,
        attempt: int | None = None,
        limit: int | None = None,
    ) -> Iterable[Sample]:
        """Yield them, a page at a time.

        Raises:
            Unsupported: nothing serves them in this cluster.
        """
        self._check_served()
        namespace = namespace_of(self._document(uid))
        given = {"metric": metric, "since": since, "until": until, "attempt": attempt}
        query = {name: str(value) for name, value in given.items() if value is not None}
        path = trial_path(namespace, self.trial(uid, index).name)
        return self._samples(path, query, limit)

    def _check_served(self) -> None:
        if time.monotonic() < self._served_until:
            return
        if not self._session.serves(API_VERSION):
            raise Unsupported(NO_OBSERVATIONS)
        self._served_until = time.monotonic() + _SERVED_SECONDS

    def _samples(self, path: str, query: Mapping[str, str], limit: int | None) -> Iterator[Sample]:
        left, rest = limit, ""
        while True:
            page = self._session.read(path, {**query, "continue": rest} if rest else query)
            for each in page["items"]:
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield read_sample(each)
            rest = page["metadata"].get("continue") or ""
            if not rest:
                return

    def events(self, uid: str, *, after: float = 0.0, limit: int = 100) -> Sequence[EventRow]:
        """Return what the cluster said of an experiment, its trials, their workloads and pods."""
        document = self._document(uid)
        names = {page.record.name: page.record.index for page in self._book(uid).pages.values()}
        found = [
            row
            for each in self._session.list(Selection(EVENTS, namespace_of(document)))
            for row in _event(each, name_of(document), names)
            if row.at > after
        ]
        return sorted(found, key=lambda row: row.at)[-limit:]


def _told(record: TrialRecord) -> TrialRecord:
    """Return the record without what its resource does not tell: how often was reported."""
    observation = {
        name: replace(summary, count=0) for name, summary in (record.observation or {}).items()
    }
    return replace(record, observation=observation)


def _totals(status: Mapping[str, Any]) -> Totals:
    by_state = {state: status.get(name, 0) for name, state in _COUNTS.items()}
    return Totals(proposed=status.get("trials", 0), by_state=by_state)


def _event(event: Document, experiment: str, trials: Mapping[str, int]) -> Iterator[EventRow]:
    about = event.get("involvedObject") or {}
    kind, name = str(about.get("kind")), str(about.get("name"))
    index = _trial_of(name, trials)
    if index is None and (kind, name) not in {
        ("Experiment", experiment),
        ("Suggestion", experiment),
    }:
        return
    told = kind in {"Experiment", "Suggestion", "Trial"}
    message = str(event.get("message", ""))
    yield EventRow(
        at=_at(event),
        index=index,
        kind=str(event.get("type", "Normal")),
        reason=str(event.get("reason", "")),
        message=message if told else f"{kind} {name}: {message}",
    )


def _trial_of(name: str, trials: Mapping[str, int]) -> int | None:
    """Return the trial that an object is named after: its own, its job's, or a pod's of it."""
    while name not in trials:
        name, dash, _ = name.rpartition("-")
        if not dash:
            return None
    return trials[name]


def _at(event: Document) -> float:
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return next((read(each) for each in times if each), 0.0)
