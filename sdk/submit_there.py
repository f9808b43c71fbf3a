"""From a document to an experiment of a cluster: a new one, or the one that is there already."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..api.asked import is_asked
from ..api.documents import parse
from ..api.errors import Fault, Invalid, NotFound
from ..api.identity import ExperimentKey
from ..controller.kube.resources import EXPERIMENTS
from ..db.records import ExperimentRecord
from ..suggestion.check import check_algorithm
from .sources.there import There
from .submit import Found, Submitted, free_name, refuse_other


def check_there(document: Mapping[str, Any]) -> None:
    """Refuse what no cluster can run.

    Raises:
        Invalid: with every fault.
    """
    if is_asked(document):
        remedy = "leave --cluster out"
        raise Invalid([Fault("spec.askTell", "a cluster runs its trials itself", remedy)])
    check_algorithm(document)


def try_out(source: There, documents: Iterable[Mapping[str, Any]]) -> None:
    """Ask the API server what it would say, and create nothing.

    Raises:
        Invalid: what it refuses, with a fault for each field.
    """
    for document in documents:
        _create(source, document, dry=True)


def submit_there(source: There, document: Mapping[str, Any], *, again: bool) -> Submitted:
    """Create an experiment, or find the one of this name.

    `again` takes the next free name where the name is taken.

    Raises:
        Conflict: another spec has the name; the message shows the difference.
    """
    key = _key(source, document)
    if key.name and again:
        name = free_name(source.records, key.name, key.namespace)
        document = {**document, "metadata": {**document["metadata"], "name": name}}
    elif there := _existing(source, document):
        found = Found.FINISHED if there.state.is_finished else Found.UNFINISHED
        return Submitted(there, found)
    return Submitted(_create(source, document), Found.NEW)


def check_all(source: There, documents: Iterable[Mapping[str, Any]]) -> None:
    """Refuse what one of several would be refused for, before the first is created.

    Raises:
        Conflict: another spec has one of the names.
        Invalid: the server refuses one of them.
    """
    for document in documents:
        if _existing(source, document) is None:
            _create(source, document, dry=True)


def _existing(source: There, document: Mapping[str, Any]) -> ExperimentRecord | None:
    """Return the experiment that a document is already.

    Raises:
        Conflict: another spec has the name; the message shows the difference.
    """
    key = _key(source, document)
    if not key.name:
        return None
    try:
        there = source.records.experiment(key)
    except NotFound:
        return None
    # What the server wrote into it by default is no difference.
    refuse_other(there, parse(document).write())
    return there


def _create(source: There, document: Mapping[str, Any], *, dry: bool = False) -> ExperimentRecord:
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
