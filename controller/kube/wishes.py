"""What people ask for in an Experiment's annotation."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...api.space import Point, SearchSpace
from ...db.records import Wish
from ..edits import LABELS, NOTE
from ..plan.view import Verb
from . import labels
from .port import Document


def wishes_of(document: Document) -> list[dict[str, Any]]:
    """Read the wishes that stand in an Experiment's annotation; what is no list says nothing."""
    text = (document["metadata"].get("annotations") or {}).get(labels.WISHES)
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, dict) and isinstance(each.get("id"), int)]


_OF_TRIALS = {Verb.TRIAL_STOP, Verb.TRIAL_RETRY, Verb.TRIAL_DROP}
_WRITTEN_AT_ONCE = {LABELS, NOTE}
"""What people change in the metadata themselves: the operator writes budgets alone."""


def wish_of(written: Mapping[str, Any], space: SearchSpace) -> Wish:
    """Read a wish; one that says too little, or a point of no sense, has no verb and is refused."""
    wish = Wish(written["id"], str(written.get("verb", "")), written, 0.0)
    if wish.verb == Verb.TRIAL_ADD:
        point = _point(written.get("point"), space)
        if point is not None:
            return replace(wish, arguments={**written, "point": point})
    elif wish.verb == Verb.EDIT:
        if not written.keys() & _WRITTEN_AT_ONCE:
            return wish
    elif wish.verb not in _OF_TRIALS or type(written.get("index")) is int:
        return wish
    return replace(wish, verb="")


def _point(written: Any, space: SearchSpace) -> Point | None:
    """Read a point that has each parameter that counts, None from what is none."""
    if not isinstance(written, dict) or not written.keys() <= space.by_name.keys():
        return None
    try:
        point = {name: space.by_name[name].parse(str(text)) for name, text in written.items()}
    except ValueError:
        return None
    return point if space.active(point) <= point.keys() else None
