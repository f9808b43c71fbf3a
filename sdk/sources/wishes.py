"""What people ask of an engine: rows in the store, and a touch to wake one that runs."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...api.asked import is_asked
from ...api.errors import Conflict
from ...controller.brief import brief_of
from ...controller.loading import Memory, view_of
from ...controller.plan.lifecycle import why_closed
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
    if is_taken(place, store, record, verb, arguments):
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
    return f"No engine is running {name}: `tunewright resume {name}` carries it out."


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


def is_taken(
    place: Place, store: Store, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]
) -> bool:
    """Leave a wish for the engine that runs; say whether there is one, and it took it.

    What takes longer than a moment is being carried out.

    Raises:
        Conflict: it is refused; the message says why.
    """
    if not place.is_driven(record.uid):
        return False
    wish = store.wish(record.uid, verb, arguments, now=time.time())
    place.wake(record.uid)
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < patience:
        is_driven = place.is_driven(record.uid)  # before the wish: its last act may be to take it
        if not any(each.id == wish.id for each in store.view(record.uid).wishes):
            _raise_refusal(store, record, wish)
            return True
        if not is_driven:
            store.answer_wish(record.uid, wish.id)
            return False
        time.sleep(0.02)
    return True


def _raise_refusal(store: Store, record: ExperimentRecord, wish: Wish) -> None:
    for event in store.events(record.uid, after=wish.asked_at):
        if event.reason == WISH_REFUSED.name:
            raise Conflict(event.message)


def ask_or_set(
    place: Place, store: Store, record: ExperimentRecord, *, suspended: bool, now: bool
) -> None:
    """Pause or resume: by a wish where an engine runs, else in the document itself.

    An experiment that has ended is opened again by a wish alone.

    Raises:
        Conflict: it stays ended; the message says why.
    """
    verb = "pause" if suspended else "resume"
    if is_taken(place, store, record, verb, {"now": True} if now else {}):
        return
    if record.state.is_finished and not suspended:
        why = why_it_stays_ended(store, record.uid)
        if why:
            raise Conflict(why)
        store.wish(record.uid, verb, {}, now=time.time())
        return
    spec = {**record.document["spec"], "suspend": suspended}
    store.set_document(
        record.uid, {**record.document, "spec": spec}, version=record.version, suspended=suspended
    )


def why_it_stays_ended(store: Store, uid: str) -> str:
    """Say why an experiment that has ended would not go on; "" where it would.

    Wishes that nobody has answered do not count: an old one to stop would keep it ended.
    """
    stored = store.view(uid)
    view = view_of(stored, brief_of(stored.experiment), Memory())
    return why_closed(replace(view, wishes=()))
