"""What people ask of a running engine: rows in the store, and a touch to wake it."""

import time
from collections.abc import Mapping
from typing import Any

from ..db.records import ExperimentRecord
from ..db.store import Store
from . import console
from .place import Place


def leave(
    place: "Place",
    store: Store,
    record: ExperimentRecord,
    verb: str,
    arguments: Mapping[str, Any],
) -> bool:
    """Leave a wish and wake the engine; say so when none is there to see it. True: one is."""
    store.wish(record.uid, verb, arguments, now=time.time())
    driven = place.is_driven(record.uid)
    if driven:
        place.wake(record.uid)
    else:
        console.note(
            f"Nothing drives {record.key.name} now: `tunewright resume {record.key.name}` "
            "carries it out."
        )
    return driven


def ask_or_set(
    place: "Place", store: Store, record: ExperimentRecord, *, suspended: bool, now: bool
) -> None:
    """Pause or resume: by a wish where an engine runs, else in the document itself."""
    if place.is_driven(record.uid):
        verb = "pause" if suspended else "resume"
        store.wish(record.uid, verb, {"now": True} if now else {}, now=time.time())
        place.wake(record.uid)
        return
    spec = {**record.document["spec"], "suspend": suspended}
    store.set_document(
        record.uid, {**record.document, "spec": spec}, version=record.version, suspended=suspended
    )
