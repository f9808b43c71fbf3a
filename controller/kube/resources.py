"""Our three kinds as the API server names them, and what is written alike in each of them.

Of an Experiment its spec is people's, its status ours (`experiments`); a Trial is ours
(`trials`), and so is a Suggestion (`suggestions`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ...api.history import Proposal
from ...api.moments import read, written
from ...api.space import format_value
from ...api.trial import ParameterAssignment
from .port import Resource

EXPERIMENTS = Resource("kubeflow.org", "v1beta1", "experiments")
TRIALS = Resource("kubeflow.org", "v1beta1", "trials")
SUGGESTIONS = Resource("kubeflow.org", "v1beta1", "suggestions")

LATEST = 10
"""How many names each list of a status holds: an object's size is bounded."""


def owner(api_version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def assignments(proposal: Proposal) -> tuple[ParameterAssignment, ...]:
    return tuple(
        ParameterAssignment(name=name, value=format_value(value))
        for name, value in proposal.point.items()
    )


def plain(model: BaseModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def moment_of(text: str | None) -> float | None:
    return None if text is None else read(text)


def text_of(moment: float | None) -> str | None:
    return None if moment is None else written(moment)


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
