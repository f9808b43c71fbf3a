"""The marks in a trial template that stand for a point's values."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^{}]+?)\}")
_META = re.compile(r"\$\{trialSpec\.(.+?)\}")
_KEYED = re.compile(r"(Annotations|Labels)\[(.+)\]")
META_FIELDS = ("Name", "Namespace", "Kind", "APIVersion")


@dataclass(frozen=True, slots=True)
class MetaReference:
    """`${trialSpec.X}` as a reference: `key` is that of Annotations and Labels."""

    field: str
    key: str | None = None


def is_meta(reference: str) -> bool:
    return _META.fullmatch(reference) is not None


def parse_meta(reference: str) -> MetaReference:
    """Read `${trialSpec.Name}`, `${trialSpec.Labels[app]}`, ….

    Raises:
        ValueError: it names nothing that a trial has.
    """
    found = _META.fullmatch(reference)
    inner = found.group(1) if found else ""
    keyed = _KEYED.fullmatch(inner)
    if keyed:
        return MetaReference(keyed.group(1), keyed.group(2))
    if inner in META_FIELDS:
        return MetaReference(inner)
    known = ", ".join([*META_FIELDS, "Annotations[key]", "Labels[key]"])
    raise ValueError(f"{reference} names nothing of a trial: known are {known}")


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a template, keys included, with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            below = f"{path}.{key}" if path else str(key)
            yield below, str(key)
            yield from texts(value, below)
    elif isinstance(node, list | tuple):
        for i, item in enumerate(node):
            yield from texts(item, f"{path}[{i}]")


def find(node: Any) -> dict[str, str]:
    """Return the names of all placeholders in a template, each with the path of its first."""
    found: dict[str, str] = {}
    for path, text in texts(node):
        if "${" in text:
            for match in PLACEHOLDER.finditer(text):
                found.setdefault(match.group(1), path)
    return found


def hide(text: str) -> tuple[str, Callable[[Any], Any]]:
    """Write a word in the place of each placeholder; return with it what brings them back.

    Where a template is a text, their braces would be read as YAML.
    """
    mark = "tunewrightplaceholder"
    while mark in text:
        mark += "q"
    words: dict[str, str] = {}
    hidden = PLACEHOLDER.sub(lambda match: words.setdefault(match[0], f"{mark}{len(words)}x"), text)
    known = {word: placeholder for placeholder, word in words.items()}
    word = re.compile(rf"{mark}\d+x")

    def back(value: Any) -> Any:
        if isinstance(value, dict):
            return {back(key): back(each) for key, each in value.items()}
        if isinstance(value, list):
            return [back(each) for each in value]
        return word.sub(lambda match: known[match[0]], value) if isinstance(value, str) else value

    return hidden, back
