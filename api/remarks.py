"""What people write on an experiment: labels, and a note. Both stand in its metadata."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .characters import is_unicode
from .errors import Fault, Invalid

NOTE = "tunewright.dev/note"
"""The annotation that holds the note."""

LONGEST_NOTE = 8192
"""Bytes of a note."""

_WORD = r"[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?:(?=[^/]{{1,253}}/)[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?/)?{_WORD}")
_VALUE = re.compile(rf"(?:{_WORD})?")
_RULE = "letters, digits, - _ and . between them, at most 63"


def labels_of(document: Mapping[str, Any]) -> dict[str, str]:
    found = (document.get("metadata") or {}).get("labels") or {}
    return {str(name): str(value) for name, value in found.items()}


def note_of(document: Mapping[str, Any]) -> str:
    return str(((document.get("metadata") or {}).get("annotations") or {}).get(NOTE) or "")


def is_label(name: str, value: str) -> bool:
    """Say whether Kubernetes takes it."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def asked_labels(written: Iterable[str]) -> dict[str, str | None]:
    """Read changes of labels as people type them: `name=value`, or `name-` to take one away.

    Raises:
        Invalid: one of them cannot be read.
    """
    asked: dict[str, str | None] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if equals:
            asked[name.strip()] = value.strip()
        elif name.endswith("-"):
            asked[name[:-1].strip()] = None
        else:
            remedy = "write name=value, or name- to remove it"
            raise Invalid([Fault("label", f"{each!r} has no value", remedy)])
    return asked


def wanted_labels(written: str) -> tuple[tuple[str, str | None], ...]:
    """Read which labels are looked for: `name=value`, or `name` with any value, by commas.

    Raises:
        Invalid: no label can be so.
    """
    parts = [part.strip().partition("=") for part in written.split(",") if part.strip()]
    remedy = "write name=value, or name for any value"
    faults = [
        Fault("label", f"{name}{equals}{value} is not a label", remedy)
        for name, equals, value in parts
        if not is_label(name, value)
    ]
    if faults:
        raise Invalid(faults)
    return tuple((name, value if equals else None) for name, equals, value in parts)


def check_remarks(labels: Mapping[str, str | None], note: str | None) -> None:
    """Refuse what cannot be written on an experiment.

    Raises:
        Invalid: with every fault.
    """
    faults = []
    for name, value in labels.items():
        if _NAME.fullmatch(name) is None:
            faults.append(Fault("label", f"{name!r} cannot name a label", _RULE))
        elif value is not None and _VALUE.fullmatch(value) is None:
            faults.append(Fault("label", f"{value!r} cannot be the value of {name}", _RULE))
    size = len((note or "").encode("utf-8", "surrogatepass"))
    if not is_unicode(note or ""):
        faults.append(Fault("note", "it contains half a character", "send it as UTF-8"))
    elif size > LONGEST_NOTE:
        faults.append(
            Fault("note", f"it has {size:,} bytes", f"{LONGEST_NOTE:,} at most: link to the rest")
        )
    if faults:
        raise Invalid(faults)


def remarked(
    document: Mapping[str, Any], labels: Mapping[str, str | None], note: str | None
) -> dict[str, Any]:
    """Return the document with labels put in or (None) taken away, and another note, if any."""
    metadata = dict(document.get("metadata") or {})
    if labels:
        metadata["labels"] = _merged(metadata.get("labels"), labels)
    if note is not None:
        metadata["annotations"] = _merged(metadata.get("annotations"), {NOTE: note or None})
    return {**document, "metadata": metadata}


def _merged(known: Mapping[str, str] | None, changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**(known or {}), **changes}
    return {name: value for name, value in merged.items() if value is not None}
