"""Why a workload does not run, or does not come to an end, in the words of whoever hinders it.

It is asked of what Kubernetes says: the workload, its pods, and events about
either. The newest pod is believed before older ones, and a pod before events,
which outlive their cause.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....api.words import counted
from ...plan import reasons
from ...plan.reasons import Reason
from .. import labels
from ..port import Document, at, name_of

_LONGEST = 500
_DEVICE = re.compile(r"Insufficient [\w.-]+/[\w.-]+")
_DEFAULT_BACKOFF = 6

_WAITS: Mapping[str, Reason] = {
    "ErrImagePull": reasons.IMAGE_UNAVAILABLE,
    "ImagePullBackOff": reasons.IMAGE_UNAVAILABLE,
    "ErrImageNeverPull": reasons.IMAGE_UNAVAILABLE,
    "RegistryUnavailable": reasons.IMAGE_UNAVAILABLE,
    "ImageInspectError": reasons.IMAGE_UNAVAILABLE,
    "InvalidImageName": reasons.IMAGE_NAME_INVALID,
    "CreateContainerConfigError": reasons.CONFIG_MISSING,
    "CreateContainerError": reasons.CONTAINER_UNSTARTABLE,
    "RunContainerError": reasons.CONTAINER_UNSTARTABLE,
}
"""What a container waits for, by the kubelet's word."""

_ENDED: Mapping[str, Reason] = {
    "OOMKilled": reasons.OUT_OF_MEMORY,
    "StartError": reasons.CONTAINER_UNSTARTABLE,
    "ContainerCannotRun": reasons.CONTAINER_UNSTARTABLE,
}
"""How a container ended, by the kubelet's word; any other that failed has crashed."""

_REFUSALS: Sequence[tuple[str, Reason]] = (
    ("violates PodSecurity", reasons.POD_SECURITY),
    ("exceeded quota", reasons.QUOTA_EXCEEDED),
    ("failed quota", reasons.QUOTA_EXCEEDED),
    ("admission webhook", reasons.WEBHOOK_REFUSED),
    ("failed calling webhook", reasons.WEBHOOK_REFUSED),
)
"""Why pods are not created, by a phrase of the event; tried in this order."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """A reason of the table, with what is only known on the spot.

    `crashed` is the container that ended, where it is one.
    """

    reason: Reason
    detail: str
    crashed: "Crashed | None" = None

    @property
    def message(self) -> str:
        return self.reason.about(self.detail)


@dataclass(frozen=True, slots=True)
class Crashed:
    """A container that failed; what it wrote is its `previous` log where it was started anew."""

    pod: str
    container: str
    previous: bool


def hindrance(
    workload: Document, pods: Sequence[Document], events: Sequence[Document]
) -> Hindrance | None:
    """Say what keeps a workload that has not ended; None where nothing is seen.

    The events are this workload's and its pods' alone. Who tells them has a clock of its
    own: only a pod that came after one shows that it is over.
    """
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    living.sort(key=_created, reverse=True)
    since = _created(living[0]) if living else ""
    refused = _refusal(event for event in events if _at(event) >= since)
    if refused is not None:
        return refused
    for pod in living:
        found = _of_pod(pod, workload, events)
        if found is not None:
            return found
    return _suspension(workload)


def _of_pod(pod: Document, workload: Document, events: Sequence[Document]) -> Hindrance | None:
    status = pod.get("status") or {}
    tried: tuple[Callable[[], Hindrance | None], ...] = (
        lambda: _scheduling(workload, status),
        lambda: _eviction(pod, status),
        lambda: _containers(pod, status, workload),
        lambda: _mounting(pod, status, events),
    )
    return next((found for each in tried if (found := each()) is not None), None)


def _scheduling(workload: Document, status: Mapping[str, Any]) -> Hindrance | None:
    placed = _condition(status, "PodScheduled")
    if placed.get("status") != "False":
        return None
    said = str(placed.get("message") or "")
    if placed.get("reason") == "SchedulingGated":
        return Hindrance(reasons.QUEUED, _queue(workload) or said)
    reason = reasons.DEVICES_TAKEN if _DEVICE.search(said) else reasons.UNSCHEDULABLE
    return Hindrance(reason, _short(said))


def _eviction(pod: Document, status: Mapping[str, Any]) -> Hindrance | None:
    """See a pod that its node would not keep; then how its containers ended says nothing."""
    disrupted = _condition(status, "DisruptionTarget")
    if disrupted.get("status") == "True":
        said = disrupted.get("message") or disrupted.get("reason")
    elif status.get("phase") == "Failed" and status.get("reason"):
        said = f"{status['reason']}: {status.get('message') or ''}"
    else:
        return None
    return Hindrance(reasons.POD_EVICTED, _short(f"pod {name_of(pod)}: {said}"))


def _containers(pod: Document, status: Mapping[str, Any], workload: Document) -> Hindrance | None:
    spec = pod.get("spec") or {}
    sidecars = {
        each.get("name")
        for each in spec.get("initContainers") or ()
        if each.get("restartPolicy") == "Always"
    }
    for each in [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]:
        waits = (each.get("state") or {}).get("waiting") or {}
        reason = _WAITS.get(str(waits.get("reason")))
        if reason is not None:
            said = waits.get("message") or waits.get("reason")
            return Hindrance(reason, _short(f"container {each.get('name')}: {said}"))
        if each.get("name") not in sidecars:  # those end, well or not, when their pod does
            ended = _ended(pod, each, workload)
            if ended is not None:
                return ended
    return None


def _ended(pod: Document, container: Mapping[str, Any], workload: Document) -> Hindrance | None:
    end = next(
        (
            state["terminated"]
            for key in ("state", "lastState")
            if (state := container.get(key) or {}).get("terminated")
        ),
        None,
    )
    if end is None or not end.get("exitCode"):
        return None
    reason = _ENDED.get(str(end.get("reason")), reasons.POD_CRASHED)
    how = f"container {container.get('name')} of {_which(pod, workload)}"
    if reason is reasons.CONTAINER_UNSTARTABLE:
        return Hindrance(reason, _short(f"{how}: {end.get('message') or end['reason']}"))
    restarts = container.get("restartCount") or 0
    again = f", restarted {counted(restarts, 'time')}" if restarts else ""
    crashed = Crashed(name_of(pod), str(container.get("name")), previous=bool(restarts))
    return Hindrance(reason, f"{how} exited with {end['exitCode']}{again}", crashed)


def _which(pod: Document, workload: Document) -> str:
    """Name a pod; of a Job that tries again also which one of how many it is."""
    name = f"pod {name_of(pod)}"
    failed = at(workload, "status", "failed")
    if workload.get("kind") != "Job" or not failed:
        return name
    limit = at(workload, "spec", "backoffLimit")
    return f"{name} ({failed} of {(_DEFAULT_BACKOFF if limit is None else limit) + 1} failed)"


def _mounting(
    pod: Document, status: Mapping[str, Any], events: Sequence[Document]
) -> Hindrance | None:
    """See a volume that cannot be had: only an event says so."""
    if status.get("phase") != "Pending":
        return None
    said = [
        _note(event)
        for event in sorted(events, key=_at)
        if event.get("reason") in {"FailedMount", "FailedAttachVolume"}
        and _about(event).get("name") == name_of(pod)
    ]
    return Hindrance(reasons.VOLUME_UNAVAILABLE, _short(said[-1])) if said else None


def _refusal(events: Iterator[Document]) -> Hindrance | None:
    """See that pods are not created: only an event of their controller says so."""
    said = [_note(event) for event in sorted(events, key=_at) if event.get("reason") in _CREATES]
    if not said:
        return None
    found = (reason for phrase, reason in _REFUSALS if phrase in said[-1])
    return Hindrance(next(found, reasons.PODS_REFUSED), _short(said[-1]))


_CREATES = {"FailedCreate", "FailedCreatePod"}  # the latter is the training operator's


def _suspension(workload: Document) -> Hindrance | None:
    told = at(workload, "spec", "suspend"), at(workload, "spec", "runPolicy", "suspend")
    if not any(each is True for each in told):
        return None
    queue = _queue(workload)
    if queue:
        return Hindrance(reasons.QUEUED, queue)
    return Hindrance(
        reasons.WORKLOAD_SUSPENDED, f"{workload.get('kind')} {name_of(workload)} has suspend: true"
    )


def _queue(workload: Document) -> str:
    name = (workload["metadata"].get("labels") or {}).get(labels.QUEUE)
    return f"queue {name}" if name else ""


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = (each for each in status.get("conditions") or () if each.get("type") == kind)
    return next(found, {})


def _created(document: Document) -> str:
    return str(document["metadata"].get("creationTimestamp") or "")


def _at(event: Document) -> str:
    """Return when an event was seen last, whichever of the two APIs it comes from."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
    )
    return str(next((each for each in times if each), ""))


def _note(event: Document) -> str:
    return str(event.get("note") or event.get("message") or "")


def _about(event: Document) -> Mapping[str, Any]:
    about: Mapping[str, Any] = event.get("regarding") or event.get("involvedObject") or {}
    return about


def _short(said: str) -> str:
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
