"""Experiments of a cluster, with a kubeconfig alone."""

import json
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...api import remarks
from ...api.errors import Conflict, NotFound
from ...controller.edits import LABELS, NOTE, budgets_of, check_budget, edited
from ...controller.kube import labels
from ...controller.kube.port import Document
from ...controller.kube.records import ClusterRecords
from ...controller.kube.resources import EXPERIMENTS
from ...controller.kube.session import Session
from ...controller.kube.wishes import wishes_of
from ...controller.plan import reasons
from ...controller.plan.explain import ended, starting_line
from ...db.records import EventRow, ExperimentRecord, TrialRecord
from ..rendered import command_of
from .cluster_logs import ClusterLogs
from .source import ALONE, Hands

_LOOK_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_EVENT_SECONDS = 0.6
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
        self._logs = ClusterLogs(session, self.records, hands.note)

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
        telling = [trial for trial in view.unfinished if trial.reason not in _QUIET]
        told_below = {starting_line(each.index, each.message) for each in telling}
        lines = [line for line in _said(view.experiment) if line not in told_below]
        for trial in telling:
            lines += _telling(trial)
        lines += [f"requested and not yet done: {wish.verb}" for wish in view.wishes]
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
        number = 0

        def patch(document: Document) -> Document:
            nonlocal number
            known = wishes_of(document)
            number = max([int(time.time() * 1000), *(each["id"] + 1 for each in known)])
            wish = {"id": number, "verb": verb, **arguments}
            return {"metadata": {"annotations": {labels.WISHES: json.dumps([*known, wish])}}}

        self._merge(record, patch)
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
        check_budget(record, changes)
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
        self._merge(record, lambda _document: {"metadata": metadata})

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

        def patch(document: Document) -> Document:
            if document["metadata"]["generation"] != record.version:
                raise Conflict(f"{record.key} was edited in the meantime: check it and try again")
            return {"spec": spec}

        self._merge(record, patch)

    def _merge(self, record: ExperimentRecord, patch: Callable[[Document], Document]) -> None:
        """Merge a patch of the resource as it is now; again if somebody wrote to it meanwhile."""
        while True:
            document = self._document(record)
            change = patch(document)
            try:
                self.session.merge(EXPERIMENTS, document, change)
            except Conflict:
                continue
            return

    def _document(self, record: ExperimentRecord) -> Document:
        """Return an experiment's resource as it is now.

        Raises:
            NotFound: it was deleted; another may have its name.
        """
        document = self.session.get(EXPERIMENTS, record.key.namespace, record.key.name)
        if document["metadata"]["uid"] != record.uid:
            raise NotFound(f"{record.key} was deleted and created again: check it and try again")
        return document

    # Logs.

    def log(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        *,
        stream: str,
        tail: int | None,
        follow: bool,
        after: int = 0,
    ) -> Iterator[bytes]:
        if stream != "stdout":
            remedy = "leave --stderr out: a container's log holds both"
            raise NotFound(f"a cluster keeps no log of stderr alone ({remedy})")
        yield from _behind(after, self._logs.read(record, trial, tail=tail, follow=follow))


def _behind(count: int, parts: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out so many bytes: the API server gives no part of a log by its place."""
    for part in parts:
        if len(part) > count:
            yield part[count:]
        count = max(0, count - len(part))


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
