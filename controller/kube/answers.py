"""What an API server is told and answers, whichever way it is asked."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ...api.depth import MOST_LEVELS, is_deeper
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
from .port import Change, Selection, WatchEvent, at

MANAGER = "tunewright"
"""Who is said to have written what we write, and owns the fields of a status. A server that is not
told names the HTTP library."""

OURS = {"fieldManager": MANAGER}

_KEPT = MOST_LEVELS + 50
"""Levels of an answer that are read: enough that a template which is too deep stays so."""

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]')


def read_json(text: str | bytes) -> Any:
    """Read an answer; what is nested beyond all use is left out, whoever wrote it.

    A server takes ten thousand levels, for which neither this reader nor any that
    walks a document has the frames: one object would keep all others from being seen.

    Raises:
        ValueError: it is no JSON.
    """
    written = text if isinstance(text, str) else text.decode()
    try:
        found = json.loads(written)
    except RecursionError:
        return json.loads(_shallow(written))
    # Most answers are one object, which has fewer of them altogether.
    may_be = written.count("{") + written.count("[") > _KEPT
    return json.loads(_shallow(written)) if may_be and is_deeper(found, _KEPT) else found


def _shallow(text: str) -> str:
    """Write null for each object and list that stands below the levels that are kept."""
    pieces, begin, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in {"{", "["}:
            if depth == _KEPT:
                pieces.append(text[begin : token.start()])
            depth += 1
        elif token[0] in {"}", "]"}:
            depth -= 1
            if depth == _KEPT:
                pieces.append("null")
                begin = token.end()
    return "".join((*pieces, text[begin:]))


def read_object(text: str | bytes) -> dict[str, Any]:
    """Read an answer that is one object, or a page of a list.

    Raises:
        ValueError: it is none: somebody between answers in the server's place.
    """
    found = read_json(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - it came over a wire
    return slim(found)


def read_event(line: bytes) -> WatchEvent:
    """Read one line of a watch.

    Raises:
        ValueError: it is no event: it broke off, or somebody between answers.
        TunewrightError: the server's own error, which comes as an event.
    """
    event = read_json(line)
    document = event.get("object") if isinstance(event, dict) else None
    if not isinstance(document, dict):
        raise ValueError("it is no event")  # noqa: TRY004 - it came over a wire
    if event.get("type") == "ERROR":
        raise error_of(int(document.get("code", 500)), {}, line.decode())
    return WatchEvent(Change(event.get("type")), slim(document))


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


_BUSY = {408, 429}

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")
"""Of a pointer: admission webhooks print objects of Go as they are. Without it the same refusal is
the same text each time."""


def error_of(status: int, headers: Mapping[str, str], text: str) -> TunewrightError:
    """Return ours for an answer that is none; the server's own words are kept."""
    said = _said(text)
    message = _ADDRESS.sub("0x…", str(said.get("message") or text[:300]))
    if status in _BUSY or status >= 500:
        after = headers.get("Retry-After", "")
        return ServerUnavailable(
            f"the API server cannot answer now: {message}",
            after=float(after) if after.isdigit() else 1.0,
        )
    if status in _GIVEN:
        kind, words = _GIVEN[status]
        return kind(f"{words}: {message}")
    causes = at(said, "details", "causes")
    faults = [
        Fault(each.get("field", ""), each.get("message", ""))
        for each in (causes if isinstance(causes, list) else ())
        if isinstance(each, dict)
    ]
    return Invalid(faults or [Fault("", message)])


def _said(text: str) -> Mapping[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    inner = said.get("object", said)
    return inner if isinstance(inner, dict) else {}
