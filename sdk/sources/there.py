"""Experiments of a cluster, with a kubeconfig alone."""

import contextlib
import json
import shlex
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ...api import remarks
from ...api.errors import Conflict, Invalid, NotFound, ServerUnavailable
from ...controller.edits import LABELS, NOTE, budgets_of, edited
from ...controller.kube import labels
from ...controller.kube.observations import API_VERSION, output_path
from ...controller.kube.port import Document, Resource, Selection, name_of
from ...controller.kube.records import ClusterRecords
from ...controller.kube.resources import EXPERIMENTS
from ...controller.kube.session import Session
from ...controller.kube.wishes import wishes_of
from ...controller.kube.workloads.pods import has_ended
from ...controller.plan import reasons
from ...controller.plan.explain import ended
from ...db.records import EventRow, ExperimentRecord, TrialRecord
from ..rendered import command_of
from .pod_log import PodLog
from .source import ALONE, Hands
from .waiting import Outages

_PODS = Resource("", "v1", "pods")
_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_EVENT_SECONDS = 0.6
_SILENCE = 900.0
"""Seconds without a byte after which a log's connection is taken for dead, and begun again."""
_QUIET = {reasons.TRIAL_CREATED.name, reasons.TRIAL_RUNNING.name}
_WARNINGS = 3


class There:
    """Implements `source.Source` over an API server. `named` is the namespace that was typed."""

    def __init__(self, session: Session, named: str | None, hands: Hands = ALONE) -> None:
        self.named = named
        self._hands = hands
        self.namespace: str | None = named or session.namespace
        self.session = session
        self.records = ClusterRecords(session)

    def __str__(self) -> str:
        return f"cluster: {self.session}"

    def whereabouts(self, record: ExperimentRecord) -> Mapping[str, object]:
        del record
        return {"cluster": str(self.session)}

    def is_driven(self, record: ExperimentRecord) -> bool:
        """Say so: whether an operator runs is not for everybody to see."""
        del record
        return True

    def explain(self, record: ExperimentRecord) -> Sequence[str]:
        """Tell what the operator said last, and why each trial that has not ended is as it is."""
        view = self.records.view(record.uid)
        lines = [*_said(view.experiment)]
        for trial in view.unfinished:
            if trial.reason not in _QUIET:
                lines += _telling(trial)
        lines += [f"asked for and not yet done: {wish.verb}" for wish in view.wishes]
        events = self.records.events(record.uid, limit=200)
        warnings = dict.fromkeys(
            f"{each.reason}: {' '.join(each.message.split())}"
            for each in events
            if each.kind == "Warning"
        )
        return [*lines, *list(warnings)[-_WARNINGS:]]

    def command_line(self, record: ExperimentRecord, trial: TrialRecord) -> str:
        """Read it from the job that stands in the trial's resource."""
        spec = self.records.resource(record, trial)["spec"]
        return shlex.join(command_of(spec.get("runSpec") or {}, spec.get("primaryContainerName")))

    def keep_up(self) -> None:
        self.records.keep_up()

    def rest(self, seconds: float) -> None:
        """Learn what happens, where trials are followed; the server tells within a second."""
        if not self.records.go_on(1):
            time.sleep(max(seconds, _LOOK_SECONDS))

    # What people ask for.

    def ask(self, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]) -> str:
        before = Counter(self._refusals(record))
        asked = self._leave(record, verb, arguments)
        if not self._is_answered(record, asked):
            return "The operator has not answered yet; it carries it out when it runs."
        time.sleep(_EVENT_SECONDS)  # the operator tells it beside its work
        for refusal in Counter(self._refusals(record)) - before:
            raise Conflict(refusal.message)
        return ""

    def _ask(self, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]) -> None:
        """Ask, and let a person hear when it will be carried out."""
        later = self.ask(record, verb, arguments)
        if later:
            self._hands.note(later)

    def _leave(self, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]) -> int:
        """Write the wish down; its number is the moment of asking, and nobody else's."""
        while True:
            document = self._document(record)
            known = wishes_of(document)
            number: int = max([int(time.time() * 1000), *(each["id"] + 1 for each in known)])
            wish = {"id": number, "verb": verb, **arguments}
            written = json.dumps([*known, wish])
            patch = {"metadata": {"annotations": {labels.WISHES: written}}}
            try:
                self.session.merge(EXPERIMENTS, document, patch)
            except Conflict:
                continue  # somebody wrote to it at this moment
            return number

    def _is_answered(self, record: ExperimentRecord, wish: int) -> bool:
        """Wait a while for the answer; what takes longer than that is being carried out."""
        patience = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < patience:
            if all(each["id"] != wish for each in wishes_of(self._document(record))):
                return True
            time.sleep(0.1)
        return False

    def _refusals(self, record: ExperimentRecord) -> Iterator[EventRow]:
        """Yield what was refused so far: the operator's clock may be another than ours."""
        for event in self.records.events(record.uid):
            if event.reason == reasons.WISH_REFUSED.name:
                yield event

    def suspend(self, record: ExperimentRecord, *, suspended: bool, now: bool) -> None:
        if now:
            self._ask(record, "pause", {"now": True})
        elif record.state.is_finished:
            self._ask(record, "resume", {})
        else:
            self._change(record, {"suspend": suspended})

    def edit(self, record: ExperimentRecord, changes: Mapping[str, Any], *, now: bool) -> None:
        labels, note = changes.get(LABELS) or {}, changes.get(NOTE)
        if labels or note is not None:
            self._remark(record, labels, note)
        budgets = budgets_of(changes)
        if now:
            self._ask(record, "edit", {**budgets, "now": True})
        elif budgets:
            self._change(record, edited({"spec": {}}, budgets)["spec"])

    def _remark(
        self, record: ExperimentRecord, labels: Mapping[str, str | None], note: str | None
    ) -> None:
        remarks.check_remarks(labels, note)
        metadata: dict[str, Any] = {"labels": labels} if labels else {}
        if note is not None:
            metadata["annotations"] = {remarks.NOTE: note or None}
        while True:
            try:
                self.session.merge(EXPERIMENTS, self._document(record), {"metadata": metadata})
            except Conflict:
                continue  # somebody wrote to it at this moment
            return

    def stop(self, record: ExperimentRecord) -> str:
        name = record.key.name
        self._leave(record, "stop", {})
        return f"{name} is being stopped; `tunewright wait {name}` waits."

    def check_deletable(self, record: ExperimentRecord) -> None:
        """Take what runs, too: its workloads go with it."""

    def delete(self, record: ExperimentRecord) -> None:
        key = record.key
        self.session.delete(EXPERIMENTS, key.namespace, key.name, record.uid)

    def _change(self, record: ExperimentRecord, spec: Mapping[str, Any]) -> None:
        """Change the spec, as it was when it was read.

        Raises:
            Conflict: it was edited meanwhile.
        """
        while True:
            document = self._document(record)
            if document["metadata"]["generation"] != record.version:
                raise Conflict(f"{record.key} was edited meanwhile: look at it, and try again")
            try:
                self.session.merge(EXPERIMENTS, document, {"spec": spec})
            except Conflict:
                continue  # its status was written at this moment
            return

    def _document(self, record: ExperimentRecord) -> Document:
        return self.session.get(EXPERIMENTS, record.key.namespace, record.key.name)

    # Logs.

    def log(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        *,
        stream: str,
        tail: int | None,
        follow: bool,
    ) -> Iterator[bytes]:
        if stream != "stdout":
            remedy = "leave --stderr out: a container's log holds both"
            raise NotFound(f"a cluster keeps no log of stderr alone ({remedy})")
        spec = self.records.resource(record, trial)["spec"]
        if follow:
            yield from self._log_to_its_end(record, trial, spec, tail)
            return
        pod = self._pod(record, trial, spec, set())
        if pod is None or not (
            yield from self._log_so_far(pod, spec.get("primaryContainerName"), tail)
        ):
            yield self._kept(record, self.records.trial(record.uid, trial.index), tail)

    def _log_to_its_end(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        spec: Mapping[str, Any],
        tail: int | None,
    ) -> Iterator[bytes]:
        """Yield the logs of a trial's pods, one after the other, until it has ended."""
        container, seen = spec.get("primaryContainerName"), set[str]()
        outages = Outages(self._hands.note)
        while True:
            pod = outages.outlived(partial(self._pod, record, trial, spec, seen), None)
            if pod is not None and (yield from self._followed(pod, container, tail, outages)):
                seen.add(pod["metadata"]["uid"])
            trial = outages.outlived(partial(self.records.trial, record.uid, trial.index), trial)
            if trial.state.is_finished:
                break
            time.sleep(_LOOK_SECONDS)
        if not seen:
            yield self._kept(record, trial, tail)

    def _kept(self, record: ExperimentRecord, trial: TrialRecord, lines: int | None) -> bytes:
        """Return the end of what a trial wrote whose pods are gone.

        Raises:
            NotFound: nothing is kept, or nothing in this cluster tells.
        """
        kept = ""
        if trial.state.is_finished and self.session.serves(API_VERSION):
            path = output_path(record.key.namespace, trial.name)
            with contextlib.suppress(NotFound):
                kept = self.session.read(path, {})["output"]
        if not kept:
            raise NotFound(_no_log(record, trial))
        self._hands.note("Its pod is gone; this is the end, which the metrics service keeps.")
        ends = kept.encode().splitlines(keepends=True)
        return b"".join(ends if lines is None else ends[len(ends) - min(lines, len(ends)) :])

    def _pod(
        self, record: ExperimentRecord, trial: TrialRecord, spec: Mapping[str, Any], seen: set[str]
    ) -> Document | None:
        """Return the newest pod whose metrics count, of those whose log was not shown."""
        wanted = {labels.TRIAL: trial.name, **(spec.get("primaryPodLabels") or {})}
        selected = ",".join(f"{name}={value}" for name, value in wanted.items())
        found = [
            pod
            for pod in self.session.list(Selection(_PODS, record.key.namespace, selected))
            if pod["metadata"]["uid"] not in seen
        ]
        return max(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)

    def _log_so_far(
        self, pod: Document, container: str | None, tail: int | None
    ) -> Generator[bytes, None, bool]:
        """Yield a pod's log as far as it is; the result says whether there was one."""
        query = {"container": container} if container else {}
        query |= {"tailLines": str(tail)} if tail is not None else {}
        try:
            yield from self.session.stream(_log_path(pod), query)
        except (Invalid, NotFound, ServerUnavailable):
            return False  # it has not started, or is gone
        return True

    def _followed(
        self, pod: Document, container: str | None, tail: int | None, outages: Outages
    ) -> Generator[bytes, None, bool]:
        """Yield a pod's log until its container has ended; the result is whether there was one."""
        log, was_there = PodLog(container, tail), False
        while True:
            try:
                for data in self.session.stream(_log_path(pod), log.begin(), silence=_SILENCE):
                    was_there = True
                    yield log.new(data)
                was_there = True  # also one in which nothing is written
            except NotFound:
                return was_there  # it is gone
            except Invalid:  # its container has not started, or not again
                if not was_there:
                    return False
            except ServerUnavailable:
                pass  # whether the container goes on, it tells when it is back
            if outages.outlived(partial(self._has_ended, pod, container), False):
                return was_there
            time.sleep(_LOOK_SECONDS)

    def _has_ended(self, pod: Document, container: str | None) -> bool:
        """Say whether a container of a pod has ended for good."""
        try:
            now = self.session.get(_PODS, pod["metadata"]["namespace"], name_of(pod))
        except NotFound:
            return True
        return now["metadata"]["uid"] != pod["metadata"]["uid"] or has_ended(now, container)


def _log_path(pod: Document) -> str:
    return _PODS.path(pod["metadata"]["namespace"], name_of(pod), "log")


def _said(record: ExperimentRecord) -> Iterator[str]:
    status = record.document.get("status") or {}
    if record.state.is_finished:
        yield from ended(record.state, record.reason, record.message)
    elif status.get("conditions"):
        yield from status.get("waitsFor") or ()
    else:
        yield "no operator has seen it yet: is the operator running?"


def _telling(trial: TrialRecord) -> Iterator[str]:
    """Yield why a trial is as it is, and what can be done."""
    yield f"trial {trial.index}: {trial.message}"
    reason = reasons.BY_NAME.get(trial.reason)
    if reason is not None and reason.remedy:
        yield f"remedy: {reason.remedy}"


def _no_log(record: ExperimentRecord, trial: TrialRecord) -> str:
    if trial.state.is_finished:
        why = "its pod is gone (trialTemplate.retain: true keeps it)"
    else:
        why = f"none of its containers has started: {trial.message}"
    return f"trial {trial.index} of {record.key.name} has no log: {why}"
