"""What Experiments, Trials and Suggestions write alike."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ...api.experiment import API_VERSION
from ...api.history import Proposal
from ...api.moments import read, written
from ...api.space import format_value
from ...api.trial import ParameterAssignment

LATEST = 10
"""How many names each list of a status holds: an object's size is bounded."""


def owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
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
