"""Between rows and records."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..api.history import Proposal, Verdict
from ..api.identity import ExperimentKey
from ..api.observation import Observation, Summary
from ..api.states import ExperimentState, TrialState
from .records import (
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    Reporter,
    StopRow,
    Totals,
    TrialRecord,
    Usage,
)
from .schema import decode

STATE_COLUMNS = {
    TrialState.CREATED: "trials_created",
    TrialState.RUNNING: "trials_running",
    TrialState.SUCCEEDED: "trials_succeeded",
    TrialState.METRICS_UNAVAILABLE: "trials_metrics_unavailable",
    TrialState.EARLY_STOPPED: "trials_early_stopped",
    TrialState.FAILED: "trials_failed",
    TrialState.KILLED: "trials_killed",
}
"""The column of an experiment that counts its trials in a state."""


def legible(text: str) -> str:
    """Return a message as every database takes it: what a program printed may hold anything."""
    if "\0" not in text and (text.isascii() or text.isprintable()):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def experiment_record(
    row: Any, best: tuple[TrialRecord, ...] = (), document: Mapping[str, Any] | None = None
) -> ExperimentRecord:
    """Read an experiment; `document` is what its text says, where that is known already."""
    totals = Totals(
        proposed=row.proposed,
        by_state={state: getattr(row, column) for state, column in STATE_COLUMNS.items()},
        observed=row.observed,
        since_improvement=row.since_improvement,
        dropped=row.dropped,
        position=row.position,
        unbegun=row.trials_unbegun,
    )
    return ExperimentRecord(
        uid=row.uid,
        key=ExperimentKey(row.namespace, row.name),
        document=json.loads(row.document) if document is None else document,
        version=row.version,
        state=ExperimentState(row.state),
        reason=row.reason,
        message=row.message,
        seed=row.seed,
        workdir=row.workdir,
        suspended=bool(row.suspended),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        active_seconds=row.active_seconds,
        totals=totals,
        best=best,
    )


def proposal_text(proposal: Proposal) -> str:
    fields: dict[str, Any] = {"point": dict(proposal.point)}
    if proposal.reason:
        fields["reason"] = proposal.reason
    if proposal.labels:
        fields["labels"] = dict(proposal.labels)
    if proposal.parent is not None:
        fields["parent"] = proposal.parent
    if proposal.name is not None:
        fields["name"] = proposal.name
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)  # a trial's row is read turn after turn
def proposal_of(text: str) -> Proposal:
    fields = json.loads(text)
    return Proposal(
        point=fields["point"],
        reason=fields.get("reason", ""),
        labels=tuple(fields.get("labels", {}).items()),
        parent=fields.get("parent"),
        name=fields.get("name"),
    )


def attempt_record(row: Any) -> AttemptRecord:
    return AttemptRecord(
        attempt=row.attempt,
        state=AttemptState(row.state),
        token=row.token,
        pid=row.pid,
        pid_started_at=row.pid_started_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        reason=row.reason,
        message=row.message,
        usage=Usage(row.wall_seconds, row.cpu_seconds, row.peak_memory_bytes, row.device_seconds),
    )


def trial_record(
    row: Any,
    attempt: AttemptRecord | None,
    stop: StopRow | None,
    observation: Observation | None = None,
    earlier: tuple[Observation, ...] = (),
) -> TrialRecord:
    return TrialRecord(
        index=row.idx,
        name=row.name,
        state=TrialState(row.state),
        reason=row.reason,
        message=row.message,
        proposal=proposal_of(row.proposal),
        made_from=row.made_from,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        value=decode(row.value, row.text) if row.observed else None,
        attempt=attempt,
        retries=row.retries,
        retry_at=row.retry_at,
        dropped=bool(row.dropped),
        stop=stop,
        observation=observation,
        earlier=earlier,
        deviation=None if row.deviation is None else decode(row.deviation),
        verdict=None if row.verdict is None else Verdict(row.verdict),
    )


# Both are functions of the row alone, and the same rows come turn after turn.


@lru_cache(maxsize=256)
def waiting_record(row: Any) -> TrialRecord:
    """Read a trial of which nothing has been started yet."""
    return trial_record(row, None, None, {})


@lru_cache(maxsize=256)
def ended_record(row: Any) -> TrialRecord:
    """Read a trial that has ended, as a list of the best shows it."""
    return trial_record(row, None, None)


def stop_row(index: int, row: Any) -> StopRow:
    return StopRow(index, row.attempt, row.reason, row.decided_at, bool(row.answered))


def reporter_of(row: Any) -> Reporter:
    return Reporter(
        source=row.text,
        heard_at=row.heard_at,
        seen=tuple(json.loads(row.seen)) if row.seen else (),
        dropped=row.dropped or 0,
        done=bool(row.done),
    )


def summary_of(row: Any) -> Summary:
    return Summary(
        min=decode(row.min),
        max=decode(row.max),
        latest=decode(row.latest, row.latest_text),
        count=row.count,
        sum=decode(row.sum),
        latest_time=row.latest_time,
        min_step=row.min_step,
        max_step=row.max_step,
        latest_step=row.latest_step,
        numbers=row.numbers,
    )
