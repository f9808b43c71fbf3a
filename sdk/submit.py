"""From a document to an experiment in the store: a new one, or the one that is there already."""

import secrets
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ..api.errors import Conflict, NotFound
from ..api.identity import DEFAULT_NAMESPACE, ExperimentKey
from ..controller.reading import Records
from ..controller.warm_start import check_sources
from ..db.records import ExperimentRecord
from ..db.store import Store

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SHOWN = 12


class Found(StrEnum):
    NEW = "new"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Submitted:
    """An experiment in the store; `found` says whether it was there before."""

    record: ExperimentRecord
    found: Found


def submit(
    store: Store, document: Mapping[str, Any], *, namespace: str | None, workdir: str, again: bool
) -> Submitted:
    """Write an experiment, or find the one of this name.

    `again` takes the next free name (`digits-2`) where the name is taken.

    Raises:
        Conflict: another spec has the name; the message shows the difference.
        Invalid: it is to begin from experiments that are not there, or do not suit it.
    """
    metadata = dict(document.get("metadata") or {})
    key = _key(document, namespace)
    if not key.name:
        key = replace(key, name=_generated(metadata["generateName"]))
    elif again:
        key = replace(key, name=free_name(store, key.name, key.namespace))
    else:
        there = existing(store, document, namespace=namespace)
        if there is not None:
            found = Found.FINISHED if there.state.is_finished else Found.UNFINISHED
            return Submitted(there, found)
    metadata |= {"name": key.name, "namespace": key.namespace}
    check_sources(store, key, document)
    seed = document["spec"].get("seed")
    record = store.create_experiment(
        key,
        {**document, "metadata": metadata},
        seed=secrets.randbelow(2**31) if seed is None else int(seed),
        workdir=workdir,
        now=time.time(),
        uid=str(uuid.uuid4()),
    )
    return Submitted(record, Found.NEW)


def _generated(stem: str) -> str:
    """Return a name that begins so, as Kubernetes makes one."""
    return stem + "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))


def existing(
    store: Store, document: Mapping[str, Any], *, namespace: str | None
) -> ExperimentRecord | None:
    """Return the experiment that a document is already.

    Raises:
        Conflict: another spec has the name; the message shows the difference.
    """
    try:
        there = store.experiment(_key(document, namespace))
    except NotFound:
        return None
    refuse_other(there, document)
    return there


def check_names(
    store: Store, documents: Iterable[Mapping[str, Any]], *, namespace: str | None
) -> None:
    """Refuse names that are taken, before the first of several has run, which may take days.

    Raises:
        Conflict: another spec has one of them.
    """
    for document in documents:
        existing(store, document, namespace=namespace)


def _key(document: Mapping[str, Any], namespace: str | None) -> ExperimentKey:
    """Return where it goes; the name is empty where one is to be made."""
    metadata = document.get("metadata") or {}
    place = namespace or metadata.get("namespace") or DEFAULT_NAMESPACE
    return ExperimentKey(place, metadata.get("name") or "")


def free_name(records: Records, name: str, namespace: str) -> str:
    """Return the name if it is free, else the first of `name-2`, `name-3`, … that is."""
    taken = {record.key.name for record in records.experiments(namespace=namespace)}
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def refuse_other(there: ExperimentRecord, document: Mapping[str, Any]) -> None:
    """Refuse another spec under the same name.

    Raises:
        Conflict: with the differences.
    """
    changes = list(differences(there.document["spec"], document["spec"], "spec"))
    if not changes:
        return
    shown = changes[:_SHOWN]
    more = [f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    name = there.key.name
    raise Conflict(
        "\n".join(
            [
                f"{there.key} exists with another spec (there → here):",
                *(f"  {line}" for line in (*shown, *more)),
                "  --again or --name runs this one beside it",
                f"  `tunewright edit {name}` changes the budget of that one",
            ]
        )
    )


def differences(there: object, here: object, path: str) -> Iterator[str]:
    """Yield each place in which two documents differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in dict.fromkeys((*there, *here)):
            if key == "suspend":  # pausing changes it
                continue
            yield from differences(there.get(key), here.get(key), f"{path}.{key}")
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for index, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from differences(old, new, f"{path}[{index}]")
    elif there != here:
        yield f"{path}: {_brief(there)} → {_brief(here)}"


def _brief(value: object) -> str:
    if value is None:
        return "absent"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
