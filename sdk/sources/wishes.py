"""What people ask of an engine: rows in the store, and a touch to wake one that runs."""

import time
from collections.abc import Mapping
from typing import Any

from ...api.asked import is_asked
from ...api.errors import Conflict
from ...controller.brief import brief_of
from ...controller.loading import Memory, view_of
from ...controller.plan.reasons import WISH_REFUSED
from ...controller.plan.view import Verb
from ...controller.plan.view import Wish as Asked
from ...controller.plan.wishes import why_not
from ...db.records import ExperimentRecord, Wish
from ...db.store import Store
from .place import Place

_PATIENCE = 2.0


def leave(
    place: Place,
    store: Store,
    record: ExperimentRecord,
    verb: str,
    arguments: Mapping[str, Any],
) -> str:
    """Leave a wish for the engine; return what is to be said where none runs.

    A trial that has ended is dropped at once then: there is nothing to decide.

    Raises:
        Conflict: it is refused; the message says why.
    """
    if place.is_driven(record.uid):
        wish = store.wish(record.uid, verb, arguments, now=time.time())
        place.wake(record.uid)
        _raise_refusal(store, record, wish)
        return ""
    _refuse(store, record, verb, arguments)
    if verb == Verb.TRIAL_DROP and _has_ended(store, record, arguments["index"]):
        with place.driving(record.uid):
            store.drop_trial(record.uid, arguments["index"], now=time.time())
        return ""
    store.wish(record.uid, verb, arguments, now=time.time())
    if is_asked(record.document):
        return "It is carried out when a point is asked for or told."
    name = record.key.name
    return f"Nothing drives {name} now: `tunewright resume {name}` carries it out."


def _refuse(
    store: Store, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]
) -> None:
    """Judge as the engine would that is not there.

    Raises:
        Conflict: it would refuse.
    """
    view = view_of(store.view(record.uid), brief_of(record), Memory())
    why = why_not(view, Asked(0, Verb(verb), arguments.get("index")))
    if why:
        raise Conflict(why)


def _has_ended(store: Store, record: ExperimentRecord, index: int) -> bool:
    return store.trial(record.uid, index).state.is_finished


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
    place: Place, store: Store, record: ExperimentRecord, *, suspended: bool, now: bool
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
