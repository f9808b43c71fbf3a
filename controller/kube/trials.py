"""From a Trial to the page of a book that it is, and back.

A Trial without `spec.index` was made by another controller, and is none of ours.
"""

import math
from typing import Any

from ...api.conditions import Condition, Conditions
from ...api.experiment import API_VERSION, Experiment
from ...api.history import Finished, Proposal, Verdict
from ...api.moments import exactly, read
from ...api.objective import Objective
from ...api.observation import Observation, Summary, TextValue, read_value
from ...api.space import Point, SearchSpace, Value, format_value
from ...api.states import TrialState
from ...api.trial import (
    AttemptStatus,
    MetricObservation,
    ObservationStatus,
    ParameterAssignment,
    Trial,
    TrialSpec,
    TrialStatus,
)
from ...db.records import AttemptRecord, AttemptState, TrialRecord, Usage
from . import labels
from .book import Book
from .fields import assignments, moment_of, owner, plain, text_of, without_nothing
from .page import Page
from .port import Document, at

UNAVAILABLE = "unavailable"
"""What Katib writes where there is no number."""

_STATES = frozenset(TrialState)
_ENDS = frozenset(state for state in TrialState if state.is_finished)

_SPEC_OF_TRIALS = (
    *("index", "position", "madeFrom", "origin", "parent"),
    *("parameterAssignments", "labels"),
)
_METADATA = (
    *("name", "namespace", "uid", "resourceVersion", "labels"),
    *("creationTimestamp", "deletionTimestamp", "ownerReferences", "finalizers"),
)


def is_ours(trial: Document, experiment: str) -> bool:
    """Whether a Trial was made here, for the experiment of that uid."""
    owners = trial["metadata"].get("ownerReferences") or ()
    return "index" in (trial.get("spec") or {}) and any(
        each["uid"] == experiment for each in owners
    )


def experiment_of(trial: Document) -> str | None:
    """Return the uid of the Experiment that a Trial made here belongs to; None without one."""
    if "index" not in (trial.get("spec") or {}):
        return None
    owners = trial["metadata"].get("ownerReferences") or ()
    return next((each["uid"] for each in owners if each["kind"] == "Experiment"), None)


def is_ahead(trial: Document, record: TrialRecord) -> bool:
    """Whether a Trial tells more than a record that has not ended: somebody else wrote it."""
    status = trial.get("status") or {}
    begun = (status.get("attempt") or {}).get("attempt", 0)
    return "position" in status or begun > (record.attempt.attempt if record.attempt else 0)


def slim_trial(document: Document) -> Document:
    """Leave of a Trial what a book is folded from: the job it runs is most of it."""
    metadata, status = document["metadata"], document.get("status")
    spec = {key: at(document, "spec", key) for key in _SPEC_OF_TRIALS}
    return {
        "metadata": {key: metadata[key] for key in _METADATA if key in metadata},
        "spec": without_nothing(spec),
        "status": status if isinstance(status, dict) else {},
    }


def page_of(document: Document, objective: Objective, space: SearchSpace) -> Page:
    """Read a Trial of ours."""
    trial = Trial.read(document)
    spec, status = trial.spec, trial.status or TrialStatus()
    point = _point(spec, space)
    conditions = _own_conditions(status)
    state = _trial_state(conditions)
    last = conditions[-1] if conditions else Condition()
    observation = _read_observation(status.observation)
    earlier = tuple(_read_observation(each) or {} for each in status.earlier)
    outcome = objective.outcome([*earlier, observation or {}])
    verdict = Verdict(status.verdict or Verdict.NOTHING)
    record = TrialRecord(
        index=spec.index or 0,
        name=trial.metadata.name or "",
        state=state,
        reason=last.reason,
        message=last.message,
        proposal=_proposal(spec, point or {}),
        made_from=spec.made_from or 0,
        created_at=read(trial.metadata.creation_timestamp or "1970-01-01T00:00:00Z"),
        started_at=moment_of(status.start_time),
        finished_at=moment_of(status.completion_time),
        value=outcome.value if state.is_finished else None,
        attempt=_read_attempt(status.attempt),
        retries=status.retries,
        retry_at=moment_of(status.retry_at),
        dropped=status.dropped is not None,
        observation=observation,
        earlier=earlier,
        deviation=outcome.deviation if state.is_finished else None,
        verdict=verdict if state.is_finished else None,
    )
    finished = None
    if status.position is not None and state.is_finished:
        finished = Finished.of(status.position, record.index, state, verdict, outcome)
    return Page(
        record,
        spec.position or 0,
        conditions,
        finished,
        status.dropped,
        trial.metadata.uid or "",
        is_of_space=point is not None,
    )


def _point(spec: TrialSpec, space: SearchSpace) -> Point | None:
    """Return the point of a trial; None where the space has no such values."""
    try:
        return {each.name: _value(each, space) for each in spec.parameter_assignments}
    except ValueError:
        return None


def _proposal(spec: TrialSpec, point: Point) -> Proposal:
    return Proposal(
        point=point,
        reason=spec.origin or "",
        labels=tuple((spec.labels or {}).items()),
        parent=spec.parent,
    )


def _value(written: ParameterAssignment, space: SearchSpace) -> Value:
    """Read a value; an architecture's parameters are no part of the space, and stay text."""
    parameter = space.by_name.get(written.name)
    return written.value if parameter is None else parameter.parse(written.value)


def _own_conditions(status: TrialStatus) -> Conditions:
    """Leave out what others wrote: types that are no states, and an end that no position follows.

    Such an end asks for one, as Katib's early stopping does; the trial still runs.
    """
    own = _STATES if status.position is not None else _STATES - _ENDS
    return tuple(each for each in status.conditions if each.type in own)


def _trial_state(conditions: Conditions) -> TrialState:
    state = next((each for each in reversed(conditions) if each.status == "True"), None)
    return TrialState(state.type) if state else TrialState.CREATED


def trial_document(book: Book, page: Page, run: Document) -> dict[str, Any]:
    """Return the Trial to create for a page; `run` is the rendered job."""
    experiment, record = book.experiment, page.record
    given = Experiment.read(experiment.document)
    template, metadata = given.spec.trial_template, given.metadata
    spec = {
        "objective": plain(given.spec.objective),
        "parameterAssignments": [each.write() for each in assignments(record.proposal)],
        "runSpec": run,
        "retainRun": template.retain if template else None,
        "metricsCollector": plain(given.spec.metrics_collector_spec),
        "primaryPodLabels": template.primary_pod_labels if template else None,
        "primaryContainerName": template.primary_container_name if template else None,
        "successCondition": template.success_condition if template else None,
        "failureCondition": template.failure_condition if template else None,
        "labels": dict(record.proposal.labels) or None,
        "index": record.index,
        "position": page.position,
        "madeFrom": record.made_from,
        "origin": record.proposal.reason or None,
        "parent": record.proposal.parent,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Trial",
        "metadata": {
            "name": record.name,
            "namespace": experiment.key.namespace,
            "labels": {
                **(metadata.labels or {}),
                **dict(record.proposal.labels),
                labels.EXPERIMENT: experiment.key.name,
            },
            "ownerReferences": [owner("Experiment", experiment.key.name, experiment.uid)],
        },
        "spec": without_nothing(spec),
    }


def trial_status(page: Page) -> dict[str, Any]:
    """Return the whole status of a Trial."""
    record, finished = page.record, page.finished
    return without_nothing(
        {
            "startTime": text_of(record.started_at),
            "completionTime": text_of(record.finished_at),
            "conditions": [each.write() for each in page.conditions],
            "observation": plain(observation_status(record.observation))
            if record.observation
            else None,
            "attempt": _attempt(record.attempt),
            "retries": record.retries or None,
            "retryAt": None if record.retry_at is None else exactly(record.retry_at),
            "earlier": [observation_status(each).write() for each in record.earlier] or None,
            "position": finished.position if finished else None,
            "verdict": str(finished.verdict) if finished else None,
            "dropped": page.dropped_at,
        }
    )


def observation_status(observation: Observation) -> ObservationStatus:
    return ObservationStatus(
        metrics=tuple(
            MetricObservation(
                name=name,
                min=_extreme(summary.min, summary),
                max=_extreme(summary.max, summary),
                latest=format_value(summary.latest),
            )
            for name, summary in observation.items()
        )
    )


def _extreme(value: float, summary: Summary) -> str:
    """Write the least or the greatest value as Katib does: of texts there is none."""
    is_text = math.isnan(value) and isinstance(summary.latest, TextValue)
    return UNAVAILABLE if is_text else format_value(value)


def _read_observation(status: ObservationStatus | None) -> Observation | None:
    """Read what the resource keeps of the summaries; the rest of them is in SQL."""
    if status is None:
        return None
    return {
        each.name: Summary(
            min=_number(each.min),
            max=_number(each.max),
            latest=_latest(each.latest),
            count=1,
            sum=math.nan,
            latest_time=0.0,
        )
        for each in status.metrics
    }


def _number(text: str) -> float:
    """Read a number; what stands there for none is NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _latest(text: str) -> float:
    """Read the latest value, which may be a text."""
    return math.nan if text in {"", UNAVAILABLE} else read_value(text)


def _attempt(record: AttemptRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return without_nothing(
        {
            "attempt": record.attempt,
            "state": str(record.state),
            "startedAt": None if record.started_at is None else exactly(record.started_at),
            "ranAt": None if record.ran_at is None else exactly(record.ran_at),
            "endedAt": None if record.ended_at is None else exactly(record.ended_at),
            "wallSeconds": record.usage.wall_seconds or None,
            "exitCode": record.exit_code,
            "reason": record.reason or None,
            "message": record.message[:1024] or None,
        }
    )


def _read_attempt(status: AttemptStatus | None) -> AttemptRecord | None:
    if status is None:
        return None
    return AttemptRecord(
        attempt=status.attempt,
        state=AttemptState(status.state or AttemptState.STARTING),
        token="",
        started_at=moment_of(status.started_at),
        ran_at=moment_of(status.ran_at),
        ended_at=moment_of(status.ended_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        usage=Usage(status.wall_seconds or 0.0),
    )
