"""From an Experiment to the record that everybody else speaks of, and back to its status."""

import hashlib
from collections.abc import Sequence
from typing import Any

from ...api.conditions import Condition, Conditions
from ...api.experiment import ExperimentStatus, OptimalTrial
from ...api.identity import ExperimentKey
from ...api.moments import read
from ...api.space import format_value
from ...api.states import ExperimentState, TrialState
from ...db.records import ExperimentRecord, Totals, TrialRecord
from .book import Book
from .fields import LATEST, assignments, moment_of, text_of, without_nothing
from .port import Document, at, name_of, namespace_of
from .trials import observation_status
from .wishes import wishes_of

_LINES = 10
_LINE = 300
"""How many lines of a status say what is waited for, and how long each is."""


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
        suspended=bool(at(document, "spec", "suspend")),
        created_at=read(metadata["creationTimestamp"]),
        started_at=moment_of(status.start_time),
        finished_at=moment_of(status.completion_time),
        active_seconds=status.active_seconds or 0.0,
        totals=Totals(proposed=status.trials),
    )
    return record, status.conditions


def _is_state(condition: Condition) -> bool:
    return condition.status == "True" and condition.type in set(ExperimentState)


def is_ended(document: Document) -> bool:
    """Whether an experiment has ended, whoever drove it."""
    conditions = at(document, "status", "conditions") or ()
    return any(
        each.get("type") in {"Succeeded", "Failed"} and each.get("status") == "True"
        for each in conditions
    )


def is_driven_here(document: Document) -> bool:
    """Whether an experiment was driven here, and not by another controller."""
    return at(document, "status", "observedGeneration") is not None


def is_settled(document: Document) -> bool:
    """Whether an experiment has ended, and nobody has edited it or asked anything since."""
    ended, seen = is_ended(document), at(document, "status", "observedGeneration")
    if not ended or seen is None:
        # One that another controller ended is left as that left it.
        return ended
    return seen == document["metadata"].get("generation") and not wishes_of(document)


def kind_of_trials(document: Document) -> str:
    """Return of which kind an experiment's trials are, "" where it does not say so."""
    return str(at(document, "spec", "trialTemplate", "trialSpec", "kind") or "")


def ttl_of(document: Document) -> float | None:
    """Return how long an experiment asks to stay after its end, in seconds."""
    ttl: float | None = at(document, "spec", "ttlSecondsAfterFinished")
    return ttl


def experiment_status(book: Book, lines: Sequence[str] = ()) -> dict[str, Any]:
    """Return the whole status, Katib's fields and ours; 0 is absent, as Katib has it.

    `lines` say what the experiment waits for, as `waits_for` returns it.
    """
    record = book.view("").experiment
    totals = record.totals
    best = record.best[0] if record.best else None
    counts = {
        "trials": totals.proposed,
        "trialsSucceeded": totals.of(TrialState.SUCCEEDED),
        "trialsFailed": totals.of(TrialState.FAILED),
        "trialsKilled": totals.of(TrialState.KILLED) + totals.unbegun,
        "trialsPending": totals.of(TrialState.CREATED),
        "trialsRunning": totals.of(TrialState.RUNNING),
        "trialsEarlyStopped": totals.of(TrialState.EARLY_STOPPED),
        "trialMetricsUnavailable": totals.of(TrialState.METRICS_UNAVAILABLE),
    }
    return without_nothing(
        {
            "startTime": text_of(record.started_at),
            "completionTime": text_of(record.finished_at),
            "conditions": [each.write() for each in book.conditions],
            **{name: count for name, count in counts.items() if count},
            **_names(book),
            "currentOptimalTrial": None if best is None else _optimal(best),
            "best": None if best is None or best.value is None else format_value(best.value),
            "seed": record.seed,
            "activeSeconds": round(record.active_seconds, 3) or None,
            "observedGeneration": record.version,
            "waitsFor": lines or None,
        }
    )


def waits_for(lines: Sequence[str]) -> list[str]:
    """Return so much of what an experiment waits for as its status says."""
    return [line[:_LINE] for line in lines[:_LINES]]


def waited_for(document: Document) -> list[str]:
    """Return what an experiment's status says that it waits for."""
    return list(at(document, "status", "waitsFor") or ())


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
        parameter_assignments=assignments(best.proposal),
        observation=observation_status(best.observation or {}),
    )
    return trial.write()
