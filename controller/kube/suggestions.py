"""The Suggestion of an experiment, which Katib's clients read."""

from typing import Any

from ...api.experiment import API_VERSION
from ...api.moments import written
from ...api.policy import ResumePolicy
from ...db.records import ExperimentRecord
from .book import Book
from .fields import LATEST, assignments, owner, text_of, without_nothing


def suggestion_document(book: Book) -> dict[str, Any]:
    """Return the whole Suggestion; Katib's conditions follow from the experiment's."""
    experiment = book.experiment
    spec = experiment.document["spec"]
    over = experiment.state.is_finished
    newest = [book.told(index) for index in range(book.proposed)[-LATEST:]]
    return {
        "apiVersion": API_VERSION,
        "kind": "Suggestion",
        "metadata": {
            "name": experiment.key.name,
            "ownerReferences": [owner("Experiment", experiment.key.name, experiment.uid)],
        },
        "spec": without_nothing(
            {
                "algorithm": spec.get("algorithm"),
                "earlyStopping": spec.get("earlyStopping"),
                "requests": book.proposed,
                "resumePolicy": spec.get("resumePolicy"),
            }
        ),
        "status": without_nothing(
            {
                "startTime": text_of(experiment.started_at),
                "completionTime": text_of(experiment.finished_at),
                "suggestionCount": book.proposed,
                "suggestions": [
                    {
                        "name": each.name,
                        "parameterAssignments": [
                            part.write() for part in assignments(each.proposal)
                        ],
                    }
                    for each in newest
                ],
                "conditions": _search_conditions(experiment, over=over),
            }
        ),
    }


def _search_conditions(experiment: ExperimentRecord, *, over: bool) -> list[dict[str, Any]]:
    """Return Created, DeploymentReady and Running, and Succeeded where the plug-in is let go."""
    at = written(experiment.started_at or experiment.created_at)

    def condition(kind: str, reason: str, message: str, status: str = "True") -> dict[str, Any]:
        times = {"lastUpdateTime": at, "lastTransitionTime": at}
        return {"type": kind, "status": status, "reason": reason, "message": message, **times}

    created = condition("Created", "SuggestionCreated", "Suggestion is created")
    ready = condition("DeploymentReady", "DeploymentReady", "Deployment is ready")
    kept = experiment.document["spec"].get("resumePolicy") == ResumePolicy.LONG_RUNNING
    if not over or kept:
        return [created, ready, condition("Running", "SuggestionRunning", "Suggestion is running")]
    running = condition("Running", "Suggestion is succeeded", "Suggestion is not running", "False")
    ended = condition("Succeeded", "Experiment is succeeded", "Suggestion is succeeded")
    return [created, ready, running, ended]
