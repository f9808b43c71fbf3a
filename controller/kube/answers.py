"""What an API server answers, whichever way it was asked."""

import json
from collections.abc import Mapping
from typing import Any

from ...api.errors import (
    Conflict,
    Expired,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
    TunewrightError,
)
from .port import Selection


def slim(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out who wrote which field: half of a document, and nobody here reads it."""
    metadata = document.get("metadata")
    if metadata:
        metadata.pop("managedFields", None)
    return document


def selecting(selection: Selection) -> dict[str, str]:
    selectors = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {name: text for name, text in selectors.items() if text}


_GIVEN = {
    401: (Forbidden, "the API server does not know who asks"),
    403: (Forbidden, "the API server forbids it"),
    404: (NotFound, "the API server does not have it"),
    409: (Conflict, "the API server has another"),
    410: (Expired, "the API server has forgotten that version"),
}


def error_of(status: int, headers: Mapping[str, str], text: str) -> TunewrightError:
    """Return ours for an answer that is none; the server's own words are kept."""
    said = _said(text)
    message = str(said.get("message") or text[:300])
    if status == 429 or status >= 500:
        after = headers.get("Retry-After", "")
        return ServerUnavailable(
            f"the API server cannot answer now: {message}",
            after=float(after) if after.isdigit() else 1.0,
        )
    if status in _GIVEN:
        kind, words = _GIVEN[status]
        return kind(f"{words}: {message}")
    causes = (said.get("details") or {}).get("causes") or ()
    return Invalid(
        [Fault(each.get("field", ""), each.get("message", "")) for each in causes]
        or [Fault("", message)]
    )


def _said(text: str) -> Mapping[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    inner = said.get("object", said)
    return inner if isinstance(inner, dict) else {}
