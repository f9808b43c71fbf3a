"""A document of Python as a file, which commands and engines read."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..api.errors import Invalid
from .plain import native


def _known(value: object) -> object:
    """Return a scalar of numpy as JSON knows it."""
    held = native(value)
    if held is value:
        raise TypeError(f"{value!r} is a {type(value).__name__}, which no document can hold")
    return held


def as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, default=_known)


@contextmanager
def written(document: Mapping[str, Any]) -> Iterator[Path]:
    """Have a document as a file for the time of a block.

    What is wrong with it is said without the file, which nobody else sees.
    """
    with tempfile.TemporaryDirectory(prefix="tunewright-") as folder:
        path = Path(folder) / "experiment.json"
        path.write_text(as_json(document), encoding="utf-8")
        try:
            yield path
        except Invalid as error:
            faults = [replace(fault, file=None, line=None) for fault in error.faults]
            raise Invalid(faults) from None
