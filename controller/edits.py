"""What may change in the document of an experiment that exists: its budgets.

A change is a value by its path below `spec`.
"""

from collections.abc import Mapping
from typing import Any

EDITABLE = (
    *("maxTrialCount", "parallelTrialCount", "maxFailedTrialCount", "maxDuration"),
    *("objective.goal", "trialPolicy.retries", "stopWhen.noImprovement.trials"),
)


def changes_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a wish asks to change; whatever else it says is no change."""
    return {path: arguments[path] for path in EDITABLE if path in arguments}


def edited(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the changes; the one that is given stays as it is."""
    spec: dict[str, Any] = dict(document["spec"])
    for path, value in changes.items():
        spec = _with(spec, path.split("."), value)
    return {**document, "spec": spec}


def is_applied(document: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Say whether the document has all of the changes already."""
    return all(_at(document["spec"], path) == value for path, value in changes.items())


def _with(tree: Mapping[str, Any], steps: list[str], value: object) -> dict[str, Any]:
    first, *rest = steps
    return {**tree, first: _with(tree.get(first) or {}, rest, value) if rest else value}


def _at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = (tree or {}).get(step)
    return tree
