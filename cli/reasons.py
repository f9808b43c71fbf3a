"""Why an experiment is where it is, as far as its records tell."""

from ..controller.plan import reasons
from ..db.records import ExperimentRecord
from ..db.store import Store
from .place import Place

_WARNINGS = 3


def explain_experiment(
    place: Place, store: Store, record: ExperimentRecord, now: float
) -> list[str]:
    """Return lines: its state, who drives it, what holds up each unfinished trial."""
    name = record.key.name
    lines = [f"{record.state}: {record.message}" + (f" ({record.reason})" if record.reason else "")]
    reason = reasons.BY_NAME.get(record.reason)
    if reason is not None and reason.remedy:
        lines.append(f"remedy: {reason.remedy}")
    if not record.state.is_finished:
        if not place.is_driven(record.uid):
            lines.append(f"no process drives it: `tunewright resume {name}` goes on")
        if record.suspended:
            lines.append(f"paused: nothing new starts until `tunewright resume {name}`")
        lines += _unfinished(store, record, now)
    for wish in store.view(record.uid).wishes:
        lines.append(f"asked for and not yet done: {wish.verb}")
    warnings = [event for event in store.events(record.uid, limit=200) if event.kind == "Warning"]
    lines += [
        f"warning: {event.reason}: {' '.join(event.message.split())}"
        for event in warnings[-_WARNINGS:]
    ]
    return lines


def _unfinished(store: Store, record: ExperimentRecord, now: float) -> list[str]:
    trials = store.view(record.uid).unfinished
    spec = record.document["spec"]
    parallel = spec.get("parallelTrialCount") or 3
    lines = [f"{len(trials)} trials are unfinished; {parallel} may run at once"]
    limit = spec.get("maxTrialCount")
    if limit is not None and record.totals.proposed >= limit:
        lines.append(f"all {limit} trials of maxTrialCount are given out")
    for trial in trials:
        if trial.retry_at is not None and trial.retry_at > now:
            when = f"{trial.retry_at - now:.0f} s"
            lines.append(f"trial {trial.index} is tried again in {when}: {trial.message}")
        elif trial.stop is not None:
            lines.append(f"trial {trial.index} is being stopped: {trial.stop.reason}")
        elif trial.message and trial.state == "Created":
            lines.append(f"trial {trial.index} waits: {trial.message}")
    return lines
