"""Objects as they were last seen, found by name and by whatever else is asked for."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .port import Document, name_of, namespace_of


class Key(NamedTuple):
    """What an object is called; the namespace is empty where there is none."""

    namespace: str
    name: str


Index: TypeAlias = Callable[[Document], Iterable[Key]]
"""Says under which keys an object is to be found: those of its owner, say."""


def key_of(document: Document) -> Key:
    return Key(namespace_of(document), name_of(document))


_WORD = 64
"""The most characters of a string that other documents may well hold too."""


class Cache:
    """One kind of object. `keep` makes of a document the little that is worth keeping."""

    def __init__(
        self,
        keep: Callable[[Document], Document] = lambda document: document,
        indexes: Mapping[str, Index] | None = None,
    ) -> None:
        self._keep = keep
        self._indexes = indexes or {}
        self._objects: dict[Key, Document] = {}
        self._found: dict[tuple[str, Key], dict[Key, Document]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def names(self) -> Sequence[Key]:
        return tuple(self._objects)

    def all(self) -> Iterable[Document]:
        return tuple(self._objects.values())

    def get(self, key: Key) -> Document | None:
        return self._objects.get(key)

    def under(self, index: str, key: Key) -> Sequence[Document]:
        """Return all objects that an index finds under a key, in the order of their coming."""
        return tuple(self._found.get((index, key), {}).values())

    def put(self, document: Document) -> Document | None:
        """Take an object in, and return what was there before."""
        key, kept = key_of(document), _shared(self._keep(document))
        before = self._objects.get(key)
        old, new = self._places(before), self._places(kept)
        for place in old - new:
            self._leave(place, key)
        for place in new:
            self._found.setdefault(place, {})[key] = kept
        self._objects[key] = kept
        return before

    def remove(self, key: Key) -> Document | None:
        """Forget an object, and return it."""
        before = self._objects.pop(key, None)
        for place in self._places(before):
            self._leave(place, key)
        return before

    def _places(self, document: Document | None) -> set[tuple[str, Key]]:
        if document is None:
            return set()
        return {(name, place) for name, index in self._indexes.items() for place in index(document)}

    def _leave(self, place: tuple[str, Key], key: Key) -> None:
        there = self._found[place]
        del there[key]
        if not there:
            del self._found[place]


def _shared(value: Any) -> Any:
    """Return a document whose fields and words are one object in all documents.

    Each comes from a text of its own, and would bring its own copies of both.
    """
    if isinstance(value, dict):
        return {sys.intern(name): _shared(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shared(each) for each in value]
    if isinstance(value, str) and len(value) <= _WORD:
        return sys.intern(value)
    return value
