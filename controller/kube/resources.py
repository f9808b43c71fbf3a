"""From our resources to the records that everybody else speaks of, and back.

Of an Experiment its spec is people's, its status ours; a Trial is ours. A Trial
without `spec.index` was made by another controller, and is none of ours.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...api.conditions import Condition, Conditions
from ...api.experiment import API_VERSION, Experiment, ExperimentStatus, OptimalTrial
from ...api.history import Finished, Proposal, Verdict
from ...api.identity import ExperimentKey
from ...api.moments import exactly, read, written
from ...api.objective import Objective
from ...api.observation import Observation, Summary
from ...api.policy import ResumePolicy
from ...api.space import Point, SearchSpace, Value, format_value
from ...api.states import ExperimentState, TrialState
from ...api.trial import (
    AttemptStatus,
    MetricObservation,
    ObservationStatus,
    ParameterAssignment,
    Trial,
    TrialStatus,
)
from ...db.records import (
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    Totals,
    TrialRecord,
    Wish,
)
from ..plan.view import Verb
from . import labels
from .book import Book
from .page import Page
from .port import Document, Resource, name_of, namespace_of

EXPERIMENTS = Resource("kubeflow.org", "v1beta1", "experiments")
TRIALS = Resource("kubeflow.org", "v1beta1", "trials")
SUGGESTIONS = Resource("kubeflow.org", "v1beta1", "suggestions")

LATEST = 10
"""How many names each list of a status holds: an object's size is bounded."""

_LINES = 10
_LINE = 300
"""How many lines of a status say what is waited for, and how long each is."""

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


def is_ahead(trial: Document, record: TrialRecord) -> bool:
    """Whether a Trial tells more than a record that has not ended: somebody else wrote it."""
    status = trial.get("status") or {}
    begun = (status.get("attempt") or {}).get("attempt", 0)
    return "position" in status or begun > (record.attempt.attempt if record.attempt else 0)


def slim_trial(document: Document) -> Document:
    """Leave of a Trial what a book is folded from: the job it runs is most of it."""
    spec, metadata = document.get("spec") or {}, document["metadata"]
    return {
        "metadata": {key: metadata[key] for key in _METADATA if key in metadata},
        "spec": {key: spec[key] for key in _SPEC_OF_TRIALS if key in spec},
        "status": document.get("status") or {},
    }


# Experiments.


def seed_of(uid: str) -> int:
    """Draw an experiment's seed: its uid is chance enough, and the same after a crash."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4])


def experiment_record(document: Document) -> tuple[ExperimentRecord, Conditions]:
    """Read an Experiment; of its totals only how many trials there were at least."""
    status = ExperimentStatus.read(document.get("status") or {})
    state = next((each for each in reversed(status.conditions) if _is_state(each)), None)
    metadata, uid = document["metadata"], document["metadata"]["uid"]
    record = ExperimentRecord(
        uid=uid,
        key=ExperimentKey(namespace_of(document), name_of(document)),
        document=document,
        version=metadata.get("generation", 1),
        state=ExperimentState(state.type) if state else ExperimentState.CREATED,
        reason=state.reason if state else "",
        message=state.message if state else "",
        seed=status.seed if status.seed is not None else seed_of(uid),
        workdir="",
        suspended=bool(document["spec"].get("suspend")),
        created_at=read(metadata["creationTimestamp"]),
        started_at=_moment(status.start_time),
        finished_at=_moment(status.completion_time),
        active_seconds=status.active_seconds or 0.0,
        totals=Totals(proposed=status.trials),
    )
    return record, status.conditions


def _is_state(condition: Condition) -> bool:
    return condition.status == "True" and condition.type in set(ExperimentState)


def is_settled(document: Document) -> bool:
    """Whether an experiment has ended, and nobody has edited it or asked anything since."""
    status = document.get("status") or {}
    conditions = status.get("conditions") or ()
    ended = any(
        each.get("type") in {"Succeeded", "Failed"} and each.get("status") == "True"
        for each in conditions
    )
    seen = status.get("observedGeneration")
    if not ended or seen is None:
        # One that another controller ended is left as that left it.
        return ended
    return seen == document["metadata"].get("generation") and not wishes_of(document)


def experiment_status(book: Book, lines: Sequence[str] = ()) -> dict[str, Any]:
    """Return the whole status, Katib's fields and ours; 0 is absent, as Katib has it.

    `lines` say what the experiment waits for.
    """
    record = book.view("").experiment
    totals = record.totals
    best = record.best[0] if record.best else None
    counts = {
        "trials": totals.proposed,
        "trialsSucceeded": totals.of(TrialState.SUCCEEDED),
        "trialsFailed": totals.of(TrialState.FAILED),
        "trialsKilled": totals.of(TrialState.KILLED),
        "trialsPending": totals.of(TrialState.CREATED),
        "trialsRunning": totals.of(TrialState.RUNNING),
        "trialsEarlyStopped": totals.of(TrialState.EARLY_STOPPED),
        "trialMetricsUnavailable": totals.of(TrialState.METRICS_UNAVAILABLE),
    }
    return _without_nothing(
        {
            "startTime": _text(record.started_at),
            "completionTime": _text(record.finished_at),
            "conditions": [each.write() for each in book.conditions],
            **{name: count for name, count in counts.items() if count},
            **_names(book),
            "currentOptimalTrial": None if best is None else _optimal(best),
            "best": None if best is None or best.value is None else format_value(best.value),
            "seed": record.seed,
            "activeSeconds": round(record.active_seconds, 3) or None,
            "observedGeneration": record.version,
            "waitsFor": [line[:_LINE] for line in lines[:_LINES]] or None,
        }
    )


_LISTS = {
    TrialState.RUNNING: "runningTrialList",
    TrialState.CREATED: "pendingTrialList",
    TrialState.FAILED: "failedTrialList",
    TrialState.SUCCEEDED: "succeededTrialList",
    TrialState.KILLED: "killedTrialList",
    TrialState.EARLY_STOPPED: "earlyStoppedTrialList",
    TrialState.METRICS_UNAVAILABLE: "metricsUnavailableTrialList",
}


def _names(book: Book) -> dict[str, list[str]]:
    """Return the latest few names of each state."""
    return {_LISTS[state]: list(names) for state, names in book.latest(LATEST).items()}


def _optimal(best: TrialRecord) -> dict[str, Any]:
    trial = OptimalTrial(
        best_trial_name=best.name,
        parameter_assignments=_assignments(best.proposal),
        observation=_observation(best.observation or {}),
    )
    return trial.write()


# Trials.


def page_of(document: Document, objective: Objective, space: SearchSpace) -> Page:
    """Read a Trial of ours."""
    trial = Trial.read(document)
    spec, status = trial.spec, trial.status or TrialStatus()
    state = _trial_state(status.conditions)
    last = status.conditions[-1] if status.conditions else Condition()
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
        proposal=Proposal(
            point={each.name: _value(each, space) for each in spec.parameter_assignments},
            reason=spec.origin or "",
            labels=tuple((spec.labels or {}).items()),
            parent=spec.parent,
        ),
        made_from=spec.made_from or 0,
        created_at=read(trial.metadata.creation_timestamp or "1970-01-01T00:00:00Z"),
        started_at=_moment(status.start_time),
        finished_at=_moment(status.completion_time),
        value=outcome.value if state.is_finished else None,
        attempt=_read_attempt(status.attempt),
        retries=status.retries,
        retry_at=_moment(status.retry_at),
        dropped=status.dropped is not None,
        observation=observation,
        earlier=earlier,
        deviation=outcome.deviation if state.is_finished else None,
        verdict=verdict if state.is_finished else None,
    )
    finished = None
    if state.is_finished:
        finished = Finished(
            status.position or 0,
            record.index,
            state,
            verdict,
            outcome.value,
            outcome.values,
            outcome.deviation,
        )
    return Page(
        record,
        spec.position or 0,
        status.conditions,
        finished,
        status.dropped,
        trial.metadata.uid or "",
    )


def _value(written: ParameterAssignment, space: SearchSpace) -> Value:
    """Read a value; an architecture's parameters are no part of the space, and stay text."""
    parameter = space.by_name.get(written.name)
    return written.value if parameter is None else parameter.parse(written.value)


def _trial_state(conditions: Conditions) -> TrialState:
    """Return what a Trial is. An end that its position does not follow was a stranger's word."""
    state = next((each for each in reversed(conditions) if each.status == "True"), None)
    return TrialState(state.type) if state else TrialState.CREATED


def trial_document(book: Book, page: Page, run: Document) -> dict[str, Any]:
    """Return the Trial to create for a page; `run` is the rendered job."""
    experiment, record = book.experiment, page.record
    given = Experiment.read(experiment.document)
    template, metadata = given.spec.trial_template, given.metadata
    spec = {
        "objective": _plain(given.spec.objective),
        "parameterAssignments": [each.write() for each in _assignments(record.proposal)],
        "runSpec": run,
        "retainRun": template.retain if template else None,
        "metricsCollector": _plain(given.spec.metrics_collector_spec),
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
            "ownerReferences": [
                owner(API_VERSION, "Experiment", experiment.key.name, experiment.uid)
            ],
        },
        "spec": _without_nothing(spec),
    }


def owner(api_version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def trial_status(page: Page) -> dict[str, Any]:
    """Return the whole status of a Trial."""
    record, finished = page.record, page.finished
    return _without_nothing(
        {
            "startTime": _text(record.started_at),
            "completionTime": _text(record.finished_at),
            "conditions": [each.write() for each in page.conditions],
            "observation": _plain(_observation(record.observation)) if record.observation else None,
            "attempt": _attempt(record.attempt),
            "retries": record.retries or None,
            "retryAt": None if record.retry_at is None else exactly(record.retry_at),
            "earlier": [_observation(each).write() for each in record.earlier] or None,
            "position": finished.position if finished else None,
            "verdict": str(finished.verdict) if finished else None,
            "dropped": page.dropped_at,
        }
    )


def suggestion_document(book: Book) -> dict[str, Any]:
    """Return the whole Suggestion; Katib's conditions follow from the experiment's."""
    experiment = book.experiment
    spec = experiment.document["spec"]
    over = experiment.state.is_finished
    newest = [book.told(index) for index in range(book.proposed)[-LATEST:]]
    return {
        "apiVersion": API_VERSION,
        "kind": "Suggestion",
        "metadata": {
            "name": experiment.key.name,
            "ownerReferences": [
                owner(API_VERSION, "Experiment", experiment.key.name, experiment.uid)
            ],
        },
        "spec": _without_nothing(
            {
                "algorithm": spec.get("algorithm"),
                "earlyStopping": spec.get("earlyStopping"),
                "requests": book.proposed,
                "resumePolicy": spec.get("resumePolicy"),
            }
        ),
        "status": _without_nothing(
            {
                "startTime": _text(experiment.started_at),
                "completionTime": _text(experiment.finished_at),
                "suggestionCount": book.proposed,
                "suggestions": [
                    {
                        "name": each.name,
                        "parameterAssignments": [
                            part.write() for part in _assignments(each.proposal)
                        ],
                    }
                    for each in newest
                ],
                "conditions": _search_conditions(experiment, over=over),
            }
        ),
    }


def _search_conditions(experiment: ExperimentRecord, *, over: bool) -> list[dict[str, Any]]:
    """Return Created, DeploymentReady and Running, and Succeeded where the plug-in is let go."""
    at = written(experiment.started_at or experiment.created_at)

    def condition(kind: str, reason: str, message: str, status: str = "True") -> dict[str, Any]:
        times = {"lastUpdateTime": at, "lastTransitionTime": at}
        return {"type": kind, "status": status, "reason": reason, "message": message, **times}

    created = condition("Created", "SuggestionCreated", "Suggestion is created")
    ready = condition("DeploymentReady", "DeploymentReady", "Deployment is ready")
    kept = experiment.document["spec"].get("resumePolicy") == ResumePolicy.LONG_RUNNING
    if not over or kept:
        return [created, ready, condition("Running", "SuggestionRunning", "Suggestion is running")]
    running = condition("Running", "Suggestion is succeeded", "Suggestion is not running", "False")
    ended = condition("Succeeded", "Experiment is succeeded", "Suggestion is succeeded")
    return [created, ready, running, ended]


# Their parts.


def _assignments(proposal: Proposal) -> tuple[ParameterAssignment, ...]:
    return tuple(
        ParameterAssignment(name=name, value=format_value(value))
        for name, value in proposal.point.items()
    )


def _observation(observation: Observation) -> ObservationStatus:
    return ObservationStatus(
        metrics=tuple(
            MetricObservation(
                name=name,
                min=format_value(summary.min),
                max=format_value(summary.max),
                latest=format_value(summary.latest),
            )
            for name, summary in observation.items()
        )
    )


def _read_observation(status: ObservationStatus | None) -> Observation | None:
    """Read what the resource keeps of the summaries; the rest of them is in SQL."""
    if status is None:
        return None
    return {
        each.name: Summary(
            min=_number(each.min),
            max=_number(each.max),
            latest=_number(each.latest),
            count=1,
            sum=math.nan,
            latest_time=0.0,
        )
        for each in status.metrics
    }


def _number(text: str) -> float:
    """Read a number; what another controller wrote for none is NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _attempt(record: AttemptRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return _without_nothing(
        {
            "attempt": record.attempt,
            "state": str(record.state),
            "startedAt": None if record.started_at is None else exactly(record.started_at),
            "ranAt": None if record.ran_at is None else exactly(record.ran_at),
            "endedAt": None if record.ended_at is None else exactly(record.ended_at),
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
        started_at=_moment(status.started_at),
        ran_at=_moment(status.ran_at),
        ended_at=_moment(status.ended_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
    )


def _plain(model: Any) -> dict[str, Any] | None:
    if model is None:
        return None
    plain: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain


def _moment(text: str | None) -> float | None:
    return None if text is None else read(text)


def _text(moment: float | None) -> str | None:
    return None if moment is None else written(moment)


def _without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# What people ask for.


def wishes_of(document: Document) -> list[dict[str, Any]]:
    """Read the wishes that stand in an Experiment's annotation; what is no list says nothing."""
    text = (document["metadata"].get("annotations") or {}).get(labels.WISHES)
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, dict) and isinstance(each.get("id"), int)]


_OF_TRIALS = {Verb.TRIAL_STOP, Verb.TRIAL_RETRY, Verb.TRIAL_DROP}


def wish_of(written: Mapping[str, Any], space: SearchSpace) -> Wish:
    """Read a wish; one that says too little, or a point of no sense, has no verb and is refused."""
    wish = Wish(written["id"], str(written.get("verb", "")), written, 0.0)
    if wish.verb == Verb.TRIAL_ADD:
        point = _point(written.get("point"), space)
        if point is not None:
            return replace(wish, arguments={**written, "point": point})
    elif wish.verb not in _OF_TRIALS or type(written.get("index")) is int:
        return wish
    return replace(wish, verb="")


def _point(written: Any, space: SearchSpace) -> Point | None:
    """Read a point that has each parameter that counts, None from what is none."""
    if not isinstance(written, dict) or not written.keys() <= space.by_name.keys():
        return None
    try:
        point = {name: space.by_name[name].parse(str(text)) for name, text in written.items()}
    except ValueError:
        return None
    return point if space.active(point) <= point.keys() else None
