"""Experiments and trials as JSON and YAML show them. These keys are a promise to scripts."""

from collections.abc import Mapping
from typing import Any

from ..api.excerpts import objective_of
from ..api.lineage import generation_of
from ..api.moments import read
from ..api.objective import Objective
from ..api.observation import Observation
from ..api.problem import ALGORITHM, PARALLEL_TRIALS
from ..api.remarks import labels_of, note_of
from ..db.records import EventRow, ExperimentRecord, TrialRecord


def experiment(record: ExperimentRecord, objective: Objective | None = None) -> dict[str, Any]:
    spec = record.document["spec"]
    objective = objective or objective_of(record.document)
    best = record.best[0] if record.best else None
    return {
        "name": record.key.name,
        "namespace": record.key.namespace,
        "uid": record.uid,
        "state": str(record.state),
        "reason": record.reason,
        "message": record.message,
        "suspended": record.suspended,
        "objective": {
            "metric": objective.metric.name,
            "type": str(objective.direction),
            "strategy": str(objective.metric.strategy),
            "goal": objective.goal,
        },
        "algorithm": algorithm_name(spec),
        "seed": record.seed,
        "max_trials": spec.get("maxTrialCount"),
        "parallel_trials": spec.get("parallelTrialCount") or PARALLEL_TRIALS,
        "trials": {
            "total": record.totals.proposed,
            "finished": record.totals.finished,
            "dropped": record.totals.dropped,
            **{str(state): count for state, count in record.totals.by_state.items() if count},
        },
        "best": None if best is None else trial(best, objective),
        "created_at": record.created_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "active_seconds": record.active_seconds,
        "workdir": record.workdir,
        "labels": labels_of(record.document),
        "note": note_of(record.document),
    }


def algorithm_name(spec: Mapping[str, Any]) -> str:
    return str((spec.get("algorithm") or {}).get("algorithmName") or ALGORITHM)


def trial(record: TrialRecord, objective: Objective) -> dict[str, Any]:
    attempt = record.attempt
    usage = attempt.usage.measured if attempt else {}
    return {
        "index": record.index,
        "name": record.name,
        "state": str(record.state),
        "reason": record.reason,
        "message": record.message,
        "parameters": dict(record.proposal.point),
        "value": record.value,
        "deviation": record.deviation,
        "metrics": metrics(record.observation or {}, objective),
        "dropped": record.dropped,
        "parent": record.proposal.parent,
        "generation": generation_of(record.proposal.labels),
        "why": record.proposal.reason,
        "attempt": attempt.attempt if attempt else 0,
        "retries": record.retries,
        "exit_code": attempt.exit_code if attempt else None,
        "created_at": record.created_at,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "wall_seconds": usage.get("wall_seconds"),
        "cpu_seconds": usage.get("cpu_seconds"),
        "peak_memory_bytes": usage.get("peak_memory_bytes"),
        "device_seconds": usage.get("device_seconds"),
    }


def event(row: EventRow) -> dict[str, Any]:
    return {
        "at": row.at,
        "trial": row.index,
        "kind": row.kind,
        "reason": row.reason,
        "message": row.message,
    }


def conditions(record: ExperimentRecord) -> list[dict[str, Any]]:
    """Return what a cluster's resource says of itself; in a store the state is all there is."""
    told = (record.document.get("status") or {}).get("conditions") or ()
    if told:
        return [
            {
                "type": each.get("type", ""),
                "holds": each.get("status") == "True",
                "reason": each.get("reason", ""),
                "message": each.get("message", ""),
                "since": _moment(each.get("lastTransitionTime")),
            }
            for each in told
        ]
    since = record.finished_at or record.started_at or record.created_at
    return [
        {
            "type": str(record.state),
            "holds": True,
            "reason": record.reason,
            "message": record.message,
            "since": since,
        }
    ]


def _moment(text: str | None) -> float | None:
    return None if text is None else read(text)


def metrics(observation: Observation, objective: Objective) -> dict[str, Any]:
    """Return each metric's summary, with its value by the strategy that the file chose."""
    strategies = {m.name: m.strategy for m in (objective.metric, *objective.others)}
    shown: dict[str, Any] = {}
    for name, summary in observation.items():
        strategy = strategies.get(name)
        steps = {
            "min": summary.min_step,
            "max": summary.max_step,
            "latest": summary.latest_step,
        }
        shown[name] = {
            "value": strategy.take(summary) if strategy else summary.latest,
            "strategy": str(strategy) if strategy else "latest",
            "step": steps[str(strategy) if strategy else "latest"],
            "min": summary.min,
            "max": summary.max,
            "latest": summary.latest,
            "count": summary.count or None,  # a cluster's resource does not tell
        }
    return shown
