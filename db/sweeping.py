"""Experiments whose resources are gone: since when, and removing what they recorded."""

from collections.abc import Collection, Iterable, Sequence

from .records import Missing
from .store import Store

GONE = "ExperimentDeleted"
"""The reason of the event that says since when."""


def missing(
    store: Store, present: Collection[str], namespaces: Collection[str], *, now: float
) -> Sequence[Missing]:
    """Return the experiments that were missing already, and note which others are now.

    `present` are the uids of the resources in `namespaces`, in all of them where none is given.
    An experiment with a working directory was run on one machine, and never was a resource.
    """
    found = []
    for each in store.experiments():
        is_there = each.uid in present or bool(each.workdir)
        if is_there or (namespaces and each.key.namespace not in namespaces):
            continue
        last = store.events(each.uid, limit=1)
        if last and last[0].reason == GONE:
            found.append(Missing(each.uid, each.key.namespace, last[0].at))
        else:
            message = "Its resource is gone; what it recorded stays for a while"
            store.add_event(
                each.uid, index=None, kind="Normal", reason=GONE, message=message, now=now
            )
    return found


def forget(store: Store, uids: Iterable[str]) -> None:
    """Remove all that experiments recorded."""
    for uid in uids:
        store.delete_experiment(uid)
