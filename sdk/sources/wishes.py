"""What people ask of a running engine: rows in the store, and a touch to wake it."""

import time
from collections.abc import Mapping
from typing import Any

from ...api.errors import Conflict
from ...controller.plan.reasons import WISH_REFUSED
from ...db.records import ExperimentRecord, Wish
from ...db.store import Store
from .place import Place

_PATIENCE = 2.0


def leave(
    place: "Place",
    store: Store,
    record: ExperimentRecord,
    verb: str,
    arguments: Mapping[str, Any],
) -> bool:
    """Leave a wish and wake the engine; return whether there is one to see it.

    Raises:
        Conflict: the engine refuses; the message says why.
    """
    wish = store.wish(record.uid, verb, arguments, now=time.time())
    driven = place.is_driven(record.uid)
    if driven:
        place.wake(record.uid)
        _raise_refusal(store, record, wish)
    return driven


def _raise_refusal(store: Store, record: ExperimentRecord, wish: Wish) -> None:
    """Wait a moment for the answer; what takes longer than that is being carried out."""
    patience = time.monotonic() + _PATIENCE
    while any(each.id == wish.id for each in store.view(record.uid).wishes):
        if time.monotonic() > patience:
            return
        time.sleep(0.02)
    for event in store.events(record.uid, after=wish.asked_at):
        if event.reason == WISH_REFUSED.name:
            raise Conflict(event.message)


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
