"""What the limits of a namespace say of its experiments: which may go on, and of what kind."""

from collections.abc import Iterable, Sequence

from ...api.errors import Fault, Invalid
from ...suggestion.early_stopping.registry import BUILT_IN as RULES
from ...suggestion.registry import BUILT_IN as ALGORITHMS
from ..plan.limits import Limits
from .experiments import is_ended
from .port import Document, Resource, at, name_of


def ahead(document: Document, others: Iterable[Document], limits: Limits) -> tuple[str, ...]:
    """Return the experiments that took all the places; nothing, where this one has one.

    Those that have begun come first, then the older. One that has ended, is suspended or
    is being deleted takes none.
    """
    if limits.experiments is None:
        return ()
    first = sorted(filter(_wants_a_place, others), key=_turn)[: limits.experiments]
    uid = document["metadata"]["uid"]
    if len(first) < limits.experiments or any(each["metadata"]["uid"] == uid for each in first):
        return ()
    return tuple(name_of(each) for each in first)


def _wants_a_place(document: Document) -> bool:
    idle = at(document, "spec", "suspend") or document["metadata"].get("deletionTimestamp")
    return bool(at(document, "spec")) and not (idle or is_ended(document))


def _turn(document: Document) -> tuple[bool, str, str]:
    has_begun = bool(at(document, "status", "startTime"))
    return not has_begun, document["metadata"]["creationTimestamp"], name_of(document)


def check_kind(kind: Resource, limits: Limits, namespace: str) -> None:
    """Refuse a kind of trial that the namespace is not granted.

    Raises:
        Invalid: it is not among them.
    """
    if limits.kinds is not None and kind.full_name not in limits.kinds:
        path = "spec.trialTemplate.trialSpec.kind"
        raise Invalid([_not_granted(path, kind.full_name, namespace, limits.kinds)])


def check_plugins(spec: Document, limits: Limits, namespace: str) -> None:
    """Refuse algorithms and stopping rules beside the built-in ones that are not granted.

    Raises:
        Invalid: with each that is not.
    """
    granted = limits.plugins
    if granted is None:
        return
    faults = [
        _not_granted(f"spec.{field}.algorithmName", name, namespace, granted)
        for field, built_in in (("algorithm", ALGORITHMS), ("earlyStopping", RULES))
        for name in _plugin(spec.get(field) or {}, built_in)
        if name not in granted
    ]
    if faults:
        raise Invalid(faults)


def _plugin(asked: Document, built_in: Iterable[str]) -> Sequence[str]:
    name = asked.get("algorithmName", "")
    is_own = not asked or (name in built_in and not asked.get("endpoint"))
    return () if is_own else (name,)


def _not_granted(path: str, name: str, namespace: str, granted: Iterable[str]) -> Fault:
    known = ", ".join(sorted(granted)) or "none"
    message = f"{name} is not granted to namespace {namespace}"
    return Fault(path, message, f"granted are: {known}", kind="Forbidden")
