"""What may change in the document of an experiment that exists: its budgets, labels and note.

A change is a value by its path below `spec`, `labels` (None takes one away) or `note`;
None takes a goal away.
"""

from collections.abc import Mapping
from typing import Any

from ..api.errors import Fault, Invalid
from ..api.remarks import check_remarks, labels_of, note_of, remarked
from ..api.states import TrialState
from ..api.words import counted
from ..db.records import ExperimentRecord

EDITABLE = (
    *("maxTrialCount", "parallelTrialCount", "maxFailedTrialCount", "maxDuration"),
    *("objective.goal", "trialPolicy.retries", "stopWhen.noImprovement.trials"),
)

LABELS, NOTE = "labels", "note"
GOAL, NO_GOAL = "objective.goal", "none"


def asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that arguments ask for: None leaves as is, NO_GOAL removes the goal."""
    changes = {path: value for path, value in given.items() if value is not None}
    if changes.get(GOAL) == NO_GOAL:
        changes[GOAL] = None
    return changes


def budgets_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes below `spec`."""
    return {path: value for path, value in changes.items() if path not in {LABELS, NOTE}}


def changes_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes in a wish's arguments, which hold other things, too (`now`, `id`)."""
    return {path: arguments[path] for path in (*EDITABLE, LABELS, NOTE) if path in arguments}


def edited(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the document with the changes.

    Raises:
        Invalid: a label or the note is not valid. Budgets are not checked here: whoever parses
            the document does that.
    """
    labels, note = changes.get(LABELS) or {}, changes.get(NOTE)
    check_remarks(labels, note)
    spec: dict[str, Any] = dict(document["spec"])
    for path, value in budgets_of(changes).items():
        spec = _with(spec, path.split("."), value)
    return {**remarked(document, labels, note), "spec": spec}


def check_budget(record: ExperimentRecord, changes: Mapping[str, Any]) -> None:
    """Refuse to lower the budget below the trials that have started: those that run would be ended.

    Raises:
        Invalid: the changes ask for that.
    """
    spec, most = record.document["spec"], changes.get("maxTrialCount")
    before = spec.get("maxTrialCount")
    given = sum("observation" in each for each in spec.get("initialTrials") or ())
    started = record.totals.finished + record.totals.of(TrialState.RUNNING) - given
    if most is not None and most < started and (before is None or most < before):
        message = f"must not be lowered below the {counted(started, 'trial')} started so far"
        raise Invalid([Fault("spec.maxTrialCount", message, "`tunewright stop` ends it now")])


def is_applied(document: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Say whether the document has all of the changes already."""
    labels = labels_of(document)
    asked: Mapping[str, str | None] = changes.get(LABELS) or {}
    return (
        all(_at(document["spec"], path) == value for path, value in budgets_of(changes).items())
        and all(labels.get(name) == value for name, value in asked.items())
        and changes.get(NOTE, note_of(document)) == note_of(document)
    )


def _with(tree: Mapping[str, Any], steps: list[str], value: object) -> dict[str, Any]:
    first, *rest = steps
    return {**tree, first: _with(tree.get(first) or {}, rest, value) if rest else value}


def _at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = (tree or {}).get(step)
    return tree
