"""What all documents have in common.

A model is frozen, speaks camelCase outside, and keeps fields it does not know,
so that validation can name them and clients get them back. Every field has a
default: that something is missing is a fault like any other, to be reported
with all the others.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictInt
from pydantic.alias_generators import to_camel


def _as_text(value: object) -> object:
    """Write a number or a truth value as the text that Katib expects in its place."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return value


def no_null(value: object) -> object:
    return () if value is None else value


Text: TypeAlias = Annotated[str, BeforeValidator(_as_text)]
"""Text that files also write as a bare number: `min: 0.1` is `min: "0.1"`."""

Texts: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(no_null)]

_Part = TypeVar("_Part")
Several: TypeAlias = Annotated[tuple[_Part, ...], BeforeValidator(no_null)]
"""A list; `null` is an empty one, as Go writes it."""

Count: TypeAlias = StrictInt
"""A whole number that is written as one: `3`, not `"3"` and not `true`."""

Object: TypeAlias = dict[str, Any]
"""A piece of somebody else's schema (a pod, a container), carried as it is."""


class Model(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        allow_inf_nan=True,
    )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read a document that was validated before it was kept."""
        return cls.model_validate(data)

    def write(self) -> dict[str, Any]:
        """Write it as files and the wire carry it: camelCase, absent where it was absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def parts(self) -> Iterator[tuple[str, "Model"]]:
        """Yield each model directly below with its path from here."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            alias = field.alias or name
            if isinstance(value, Model):
                yield alias, value
            elif isinstance(value, tuple):
                for i, item in enumerate(value):
                    if isinstance(item, Model):
                        yield f"{alias}[{i}]", item
