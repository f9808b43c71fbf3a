"""From a document to an experiment in the store: a new one, or the one that is there already."""

import secrets
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    namespace = namespace or metadata.get("namespace") or DEFAULT_NAMESPACE
    name = metadata.get("name")
    if not name:
        name = _generated(metadata["generateName"])
    elif again:
        name = free_name(store, name, namespace)
    else:
        there = _existing(store, ExperimentKey(namespace, name))
        if there is not None:
            refuse_other(there, document)
            found = Found.FINISHED if there.state.is_finished else Found.UNFINISHED
            return Submitted(there, found)
    metadata |= {"name": name, "namespace": namespace}
    key = ExperimentKey(namespace, name)
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


def _existing(store: Store, key: ExperimentKey) -> ExperimentRecord | None:
    try:
        return store.experiment(key)
    except NotFound:
        return None


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
