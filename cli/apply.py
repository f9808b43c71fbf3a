"""From documents to experiments of a cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..api.documents import parse
from ..api.errors import Fault, Invalid, NotFound
from ..api.identity import ExperimentKey
from ..controller.kube.resources import EXPERIMENTS
from ..db.records import ExperimentRecord
from ..sdk.sources.there import There
from ..sdk.sources.where import Where
from ..sdk.submit import free_name, refuse_other
from . import console
from .exits import INTERRUPTED
from .watch import attach


def run_there(
    documents: Sequence[dict[str, Any]],
    others: Sequence[Mapping[str, Any]],
    where: Where,
    *,
    dry_run: bool,
    detach: bool,
    again: bool,
) -> int:
    """Create the experiments and, unless `detach`, follow one after the other to its end."""
    from ..api.asked import is_asked
    from ..suggestion.check import check_algorithm

    for document in documents:
        if is_asked(document):
            remedy = "leave --cluster out"
            raise Invalid([Fault("spec.askTell", "a cluster runs its trials itself", remedy)])
        check_algorithm(document)
    if dry_run:
        try_out(documents, where)
        return 0
    for other in others:
        name = (other.get("metadata") or {}).get("name")
        console.warn(f"{other.get('kind')} {name} is not created: kubectl apply -f does that")
    source = where.reached()
    records = [_submit(source, document, again=again) for document in documents]
    if detach:
        return 0
    code = 0
    for record in records:
        code = max(code, attach(source, record))
        if code == INTERRUPTED:
            break
    return code


def try_out(documents: Sequence[dict[str, Any]], where: Where) -> None:
    """Ask the API server what it would say, and create nothing.

    Raises:
        Invalid: what it refuses, with a fault for each field.
    """
    source = where.reached()
    for document in documents:
        _create(source, document, dry=True)


def _submit(source: There, document: dict[str, Any], *, again: bool) -> ExperimentRecord:
    """Create an experiment, or find the one of this name.

    Raises:
        Conflict: another spec has the name; the message shows the difference.
    """
    key = _key(source, document)
    if key.name and again:
        name = free_name(source.records, key.name, key.namespace)
        document = {**document, "metadata": {**document["metadata"], "name": name}}
    elif key.name:
        try:
            there = source.records.experiment(key)
        except NotFound:
            pass
        else:
            # What the server wrote into it by default is no difference.
            refuse_other(there, parse(document).write())
            console.note(f"{key} is there already.")
            return there
    made = _create(source, document)
    console.note(f"{made.key} is created; `tunewright watch {made.key.name}` shows it.")
    return made


def _create(source: There, document: dict[str, Any], *, dry: bool = False) -> ExperimentRecord:
    key = _key(source, document)
    metadata = {**(document.get("metadata") or {}), "namespace": key.namespace}
    wanted = {**document, "metadata": metadata}
    made = source.session.create(EXPERIMENTS, key.namespace, wanted, dry=dry)
    return source.records.take(made)


def _key(source: There, document: Mapping[str, Any]) -> ExperimentKey:
    """Return where it goes; the name is empty where the server is to make one."""
    metadata = document.get("metadata") or {}
    namespace = source.named or metadata.get("namespace") or source.namespace
    return ExperimentKey(str(namespace), str(metadata.get("name") or ""))
