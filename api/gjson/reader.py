"""From the text of a GJSON path to its tree.

GJSON itself refuses nothing: a path with a slip finds nothing for ever, and a
trial would never end. So what cannot be meant is named, with its place.
"""

import json
import re
from typing import Any

from .tree import ArrayOf, Elements, Key, Modifier, ObjectOf, Path, Query, Stage, Walk, glob

_MODIFIERS = {
    *("this", "reverse", "ugly", "pretty", "valid", "flatten", "join"),
    *("keys", "values", "tostr", "fromstr", "group", "dig"),
}
_MOST = 100
"""Components of a path, those within others included: deeper than that nothing is meant."""

_KEY = re.compile(r'(?:\\.|[^\\.|()\[\]{}#@,"=<>!%\s])+')
_ESCAPED = re.compile(r"\\(.)")
_WILD = re.compile(r"(?<!\\)(?:\\\\)*[*?]")
_MODIFIER = re.compile(r"@(\w*)")
_ARGUMENT = re.compile(r"\{[^{}]*\}|\"(?:\\.|[^\"\\])*\"|[\w.-]+")
_BLANKS = re.compile(r"\s*")
_OPERATOR = re.compile(r"\s*(==|=|!=|<=|>=|<|>|!%|%)\s*")
_VALUE = re.compile(
    r'"(?:\\.|[^"\\])*"|~(?:true|false|null|\*)|true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?'
)
_NAMED = re.compile(r'("(?:\\.|[^"\\])*"|[\w-]+)\s*:\s*')
_LAST = re.compile(r"(?<!\\)[.|]")
_NOT_SIMPLE = re.compile(r"[\[\]{}()#|!]")


class WrongError(Exception):
    """The text says what, and where."""


def read(text: str) -> Path:
    """Read a path.

    Raises:
        WrongError: it is none.
    """
    return _Reader(text.strip()).whole()


class _Reader:
    """Reads a path from `at` on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.components = 0

    def whole(self) -> Path:
        path = self._path()
        if self.at < len(self.text):
            raise WrongError(f"what {self._rest()} is to mean is not clear")
        return path

    def _path(self) -> Path:
        stages = self._dotted()
        while self._takes("|"):
            stages += self._dotted()
        return Path(tuple(stages))

    def _dotted(self) -> list[Stage]:
        """Read up to a pipe. A dot before a modifier or a multipath is as good as one."""
        stages: list[Stage] = []
        keys: list[Key] = []
        while True:
            part = self._component()
            if isinstance(part, Elements | Query):
                return [*stages, Walk(tuple(keys), part)]
            if isinstance(part, Key):
                keys.append(part)
            else:
                stages += [*_walk(keys), part]
                keys = []
            if not self._takes("."):
                return [*stages, *_walk(keys)]

    def _component(self) -> Key | Elements | Query | Modifier | ArrayOf | ObjectOf:
        self.components += 1
        if self.components > _MOST:
            raise WrongError(f"it has more than {_MOST} components")
        if self._takes("#("):
            return self._query()
        if self._takes("#"):
            return Elements(self._tail())
        if self._takes("["):
            return ArrayOf(tuple(path for _, path in self._members("]")))
        if self._takes("{"):
            return ObjectOf(tuple(self._members("}")))
        if self._next() == "@":
            return self._modifier()
        return self._key()

    def _key(self) -> Key:
        text = self._matched(_KEY)
        if text is None:
            raise WrongError(f"a key is missing before {self._rest()}")
        return Key(_ESCAPED.sub(r"\1", text), glob(text) if _WILD.search(text) else None)

    def _tail(self) -> Path | None:
        """Read what is asked of each element."""
        return Path(tuple(self._dotted())) if self._takes(".") else None

    def _query(self) -> Query:
        """Read `[path][operator value])[#]`; the path may be left out before an operator."""
        self._matched(_BLANKS)
        path = None if _OPERATOR.match(self.text, self.at) else self._path()
        self._matched(_BLANKS)
        operator, value = (self._matched(_OPERATOR) or "").strip(), ""
        if operator:
            value = self._value()
        if not self._takes(")"):
            raise WrongError(f"a ) is missing before {self._rest()}")
        return Query(
            path,
            "=" if operator == "==" else operator,
            value,
            every=self._takes("#"),
            tail=self._tail(),
            pattern=glob(value) if "%" in operator else None,
        )

    def _value(self) -> str:
        start = self.at
        written = self._matched(_VALUE)
        self._matched(_BLANKS)
        if written is None:
            raise WrongError(
                f'a value is missing before {self._rest()}: text stands in quotes, "Complete"'
            )
        return str(self._json(written, start)) if written.startswith('"') else written

    def _members(self, closing: str) -> list[tuple[str, Path]]:
        members = []
        while True:
            start = self.at
            name = self._matched(_NAMED)
            begin = self.at
            path = self._path()
            members.append(
                (
                    _last(self.text[begin : self.at])
                    if name is None
                    else self._name(name.rstrip().rstrip(":").rstrip(), start),
                    path,
                )
            )
            if not self._takes(","):
                break
        if not self._takes(closing):
            raise WrongError(f"a {closing} is missing before {self._rest()}")
        return members

    def _name(self, written: str, start: int) -> str:
        return str(self._json(written, start)) if written.startswith('"') else written

    def _modifier(self) -> Modifier:
        start = self.at
        name = (self._matched(_MODIFIER) or "")[1:]
        if name not in _MODIFIERS:
            self.at = start
            raise WrongError(f"there is no modifier {self._rest()}")
        if name == "dig":
            if not self._takes(":"):
                raise WrongError(f"a path, @dig:name, is missing before {self._rest()}")
            return Modifier(name, Path(tuple(self._dotted())))
        if not self._takes(":"):
            return Modifier(name)
        start = self.at
        argument = self._matched(_ARGUMENT)
        if argument is None:
            raise WrongError(f"an argument is missing before {self._rest()}")
        return Modifier(name, self._json(argument, start) if argument.startswith("{") else argument)

    def _json(self, written: str, start: int) -> Any:
        try:
            return json.loads(written, strict=False)
        except ValueError as error:
            self.at = start
            raise WrongError(f"{self._rest()} is no JSON") from error

    def _rest(self) -> str:
        """Show where it stands, for a message."""
        shown = self.text[self.at : self.at + 20]
        return f"{shown!r} at character {self.at + 1}" if shown else "the end"

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def _matched(self, pattern: "re.Pattern[str]") -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]


def _walk(keys: list[Key]) -> list[Stage]:
    return [Walk(tuple(keys))] if keys else []


def _last(text: str) -> str:
    """Return the name that a member of an object goes by when none is given."""
    name = _LAST.split(text)[-1]
    return "_" if _NOT_SIMPLE.search(name) else name
