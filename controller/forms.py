"""The form of a document: which fields are tables, lists, or something of its own.

A form is a table with the form of each key that is read here (`*`: of every key), a list of
one form, or a function that says what is wrong with a value. What is absent has any form.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Form: TypeAlias = "Mapping[str, Form] | list[Form] | Callable[[Any], str]"

TABLE: Form = {}


def faults(value: Any, form: Form, path: str = "") -> Iterator[str]:
    """Yield what is not of the form, each with its path below `path`."""
    wrong = _wrong(value, form)
    if wrong:
        yield f"{path}: {value!r:.80} {wrong}"
    elif isinstance(form, list):
        for index, each in enumerate(value):
            yield from faults(each, form[0], f"{path}[{index}]")
    elif isinstance(form, Mapping):
        for key, each in value.items():
            below = form.get(key, form.get("*"))
            if below is not None and each is not None:
                yield from faults(each, below, f"{path}.{key}" if path else str(key))


def _wrong(value: Any, form: Form) -> str:
    if isinstance(form, list):
        return "" if isinstance(value, list) else "is not a list"
    if isinstance(form, Mapping):
        return "" if isinstance(value, Mapping) else "is not a table of fields"
    return form(value)
