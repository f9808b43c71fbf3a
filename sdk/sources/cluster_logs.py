"""What the trials of a cluster wrote: their pods' logs or, once these are gone, what is kept."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any

from ...api.errors import Invalid, NotFound, ServerUnavailable
from ...controller.kube import labels
from ...controller.kube.observations import API_VERSION, output_path
from ...controller.kube.port import Document, Resource, Selection, name_of
from ...controller.kube.records import ClusterRecords
from ...controller.kube.session import Session
from ...controller.kube.workloads.pods import has_ended
from ...db.records import ExperimentRecord, TrialRecord
from .pod_log import PodLog
from .waiting import Outages

_PODS = Resource("", "v1", "pods")
_LOOK_SECONDS = 1.0
_SILENCE = 900.0
"""Seconds without a byte after which a log's connection is taken for dead, and begun again."""


class ClusterLogs:
    """Reads the logs of trials; `note` is told what a person should hear beside them."""

    def __init__(
        self, session: Session, records: ClusterRecords, note: Callable[[str], None]
    ) -> None:
        self._session = session
        self._records = records
        self._note = note

    def read(
        self, record: ExperimentRecord, trial: TrialRecord, *, tail: int | None, follow: bool
    ) -> Iterator[bytes]:
        """Yield what a trial's container wrote, `follow` until the trial has ended.

        Raises:
            NotFound: there is no log, and nothing is kept of one.
        """
        spec = self._records.resource(record, trial)["spec"]
        if follow:
            yield from self._log_to_its_end(record, trial, spec, tail)
            return
        pod = self._pod(record, trial, spec, set())
        if pod is None or not (
            yield from self._log_so_far(pod, spec.get("primaryContainerName"), tail)
        ):
            yield self._kept(record, self._records.trial(record.uid, trial.index), tail)

    def _log_to_its_end(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        spec: Mapping[str, Any],
        tail: int | None,
    ) -> Iterator[bytes]:
        """Yield the logs of a trial's pods, one after the other, until it has ended."""
        container, seen = spec.get("primaryContainerName"), set[str]()
        outages = Outages(self._note)
        while True:
            pod = outages.outlived(partial(self._pod, record, trial, spec, seen), None)
            if pod is not None and (yield from self._followed(pod, container, tail, outages)):
                seen.add(pod["metadata"]["uid"])
            trial = outages.outlived(partial(self._records.trial, record.uid, trial.index), trial)
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
        if trial.state.is_finished and self._session.serves(API_VERSION):
            path = output_path(record.key.namespace, trial.name)
            with contextlib.suppress(NotFound):
                kept = self._session.read(path, {})["output"]
        if not kept:
            raise NotFound(_no_log(record, trial))
        self._note(
            "Its pod is gone; this is the end of the output, which the metrics service keeps."
        )
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
            for pod in self._session.list(Selection(_PODS, record.key.namespace, selected))
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
            yield from self._session.stream(_log_path(pod), query)
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
                for data in self._session.stream(_log_path(pod), log.begin(), silence=_SILENCE):
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
            now = self._session.get(_PODS, pod["metadata"]["namespace"], name_of(pod))
        except NotFound:
            return True
        return now["metadata"]["uid"] != pod["metadata"]["uid"] or has_ended(now, container)


def _log_path(pod: Document) -> str:
    return _PODS.path(pod["metadata"]["namespace"], name_of(pod), "log")


def _no_log(record: ExperimentRecord, trial: TrialRecord) -> str:
    if trial.state.is_finished:
        why = "its pod is gone (trialTemplate.retain: true keeps it)"
    else:
        why = f"none of its containers has started: {trial.message}"
    return f"trial {trial.index} of {record.key.name} has no log: {why}"
