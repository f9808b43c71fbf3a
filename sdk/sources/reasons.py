"""Why an experiment is where it is."""

from ...api.asked import is_asked
from ...controller.brief import brief_of
from ...controller.loading import Memory, view_of
from ...controller.plan.explain import explain
from ...db.records import ExperimentRecord
from ...db.store import Store
from .place import Place

_WARNINGS = 3


def explain_experiment(
    place: Place, store: Store, record: ExperimentRecord, now: float
) -> list[str]:
    """Return lines: who drives it, what holds it up, and what went wrong of late.

    The engine knows best (which devices a trial waits for); without one the records tell.
    """
    name = record.key.name
    stored = store.view(record.uid)
    lines = []
    runs_itself = not is_asked(record.document)
    if runs_itself and not record.state.is_finished and not place.is_driven(record.uid):
        lines.append(f"no engine is running it: `tunewright resume {name}` continues it")
    lines += place.ask(record.uid) or explain(view_of(stored, brief_of(record), Memory()), now)
    lines += [f"requested and not yet done: {wish.verb}" for wish in stored.wishes]
    warnings = [event for event in store.events(record.uid, limit=200) if event.kind == "Warning"]
    lines += [f"{e.reason}: {' '.join(e.message.split())}" for e in warnings[-_WARNINGS:]]
    return lines
