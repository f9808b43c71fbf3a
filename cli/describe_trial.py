"""What `tunewright describe` shows of a trial."""

from collections.abc import Iterator
from typing import Any

from ..controller.reading import Records
from ..db.records import AttemptRecord, ExperimentRecord, TrialRecord
from . import console
from .metrics import show_summaries

_LONGEST = 100
"""Trials of a lineage that are shown."""


def show(
    record: ExperimentRecord,
    trial: TrialRecord,
    data: dict[str, Any],
    command: str,
    code: str | None,
) -> None:
    console.fields(
        [
            ("Name", trial.name),
            ("Index", str(trial.index)),
            ("Experiment", str(record.key)),
            ("State", f"{trial.state}{' (dropped)' if trial.dropped else ''}"),
            ("Reason", trial.reason),
            ("Message", trial.message),
            ("Parameters", console.exact_point(trial.proposal.point.items())),
            ("Mean", _spread(trial)),
            ("Why", trial.proposal.reason),
            ("Parent", trial.proposal.parent),
            ("Generation", None if data["generation"] is None else str(data["generation"])),
            ("Lineage", " → ".join(data["lineage"])),
            ("Command", command),
            ("Code", code),
            ("Created", console.moment(trial.created_at)),
            ("Started", console.moment(trial.started_at)),
            ("Finished", console.moment(trial.finished_at)),
            *(() if trial.attempt is None else _last_attempt(trial.attempt)),
        ]
    )
    if data["metrics"]:
        console.heading("Metrics")
        show_summaries(data["metrics"])


def lineage(records: Records, trial: TrialRecord, namespace: str) -> list[str]:
    """Return the trial's ancestors, whose checkpoints it goes on from, and itself; oldest first."""
    from ..api.errors import NotFound

    names, parent = [trial.name], trial.proposal.parent
    while parent is not None and len(names) < _LONGEST:
        names.append(parent)
        try:
            parent = records.trial(*records.find_trial(parent, namespace)).proposal.parent
        except NotFound:
            break
    return names[::-1] if len(names) > 1 else []


def _spread(trial: TrialRecord) -> str | None:
    if trial.deviation is None:
        return None
    return f"{console.number(trial.value)} ± {console.number(trial.deviation)}"


def _last_attempt(attempt: AttemptRecord) -> Iterator[tuple[str, str | None]]:
    """Yield the fields of a trial's last attempt; what is None is not shown."""
    usage = attempt.usage.measured
    yield "Attempt", str(attempt.attempt)
    yield "Exit code", None if attempt.exit_code is None else str(attempt.exit_code)
    seconds, cpu = usage.get("wall_seconds"), usage.get("cpu_seconds")
    memory, devices = usage.get("peak_memory_bytes"), usage.get("device_seconds")
    yield "Took", console.duration(seconds) if seconds else None
    yield "CPU", f"{cpu:.2f}s" if cpu else None
    yield "Memory", console.size(memory) if memory else None
    yield "Devices", console.duration(devices) if devices else None
