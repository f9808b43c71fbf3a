"""The syntax of GJSON paths, as `successCondition` and `failureCondition` use them.

GJSON itself refuses nothing: a path with a slip finds nothing for ever, and a
trial would never end. So a path is read here once, and what cannot be meant is
named. Known are keys with wildcards and escapes, `#`, queries `#(…)` and
`#(…)#`, modifiers `@name:argument`, and the multipaths `[…]` and `{…}`.
"""

import re

_MODIFIERS = {
    *("this", "reverse", "ugly", "pretty", "valid", "flatten", "join"),
    *("keys", "values", "tostr", "fromstr", "group", "dig"),
}
_KEY = re.compile(r'(?:\\.|[^\\.|()\[\]{}#@,"=<>!%\s])+')
_MODIFIER = re.compile(r"@(\w*)(?::(\{[^{}]*\}|\"(?:\\.|[^\"\\])*\"|[\w.-]+))?")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>|!%|%)\s*")
_VALUE = re.compile(r'"(?:\\.|[^"\\])*"|true|false|null|~\w+|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
_NAMED = re.compile(r'"(?:\\.|[^"\\])*"\s*:\s*')


def complaint(path: str) -> str | None:
    """Say what is wrong with a path; None when nothing is."""
    try:
        _Reader(path.strip()).whole()
    except _WrongError as wrong:
        return str(wrong)
    return None


class _WrongError(Exception):
    """The text says what, and where."""


class _Reader:
    """Reads a path from `at` on; raises `_WrongError` where it is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> None:
        self.path()
        if self.at < len(self.text):
            raise _WrongError(f"what {self.rest()} is to mean is not clear")

    def path(self) -> None:
        self._component()
        while self._takes(".") or self._takes("|"):
            self._component()

    def rest(self) -> str:
        """Show where it stands, for a message."""
        shown = self.text[self.at : self.at + 20]
        return f"{shown!r} at character {self.at + 1}" if shown else "the end"

    def _component(self) -> None:
        if self._takes("#("):
            self._query()
        elif self._takes("[") or self._takes("{"):
            self._multipath("]" if self.text[self.at - 1] == "[" else "}")
        elif self._next() == "@":
            self._modifier()
        elif not self._takes("#") and not self._matches(_KEY):
            raise _WrongError(f"a key is missing before {self.rest()}")

    def _query(self) -> None:
        """Read `[path][operator value])[#]`; the path may be left out before an operator."""
        if not self._operator_is_next():
            self.path()
        if self._matches(_OPERATOR) and not self._matches(_VALUE):
            raise _WrongError(
                f'a value is missing before {self.rest()}: text stands in quotes, "Complete"'
            )
        if not self._takes(")"):
            raise _WrongError(f"a ) is missing before {self.rest()}")
        self._takes("#")

    def _multipath(self, closing: str) -> None:
        while True:
            self._matches(_NAMED)
            self.path()
            if not self._takes(","):
                break
        if not self._takes(closing):
            raise _WrongError(f"a {closing} is missing before {self.rest()}")

    def _modifier(self) -> None:
        start = self.at
        found = _MODIFIER.match(self.text, start)
        if found is None or found[1] not in _MODIFIERS:
            raise _WrongError(f"there is no modifier {self.rest()}")
        self.at = found.end()

    def _operator_is_next(self) -> bool:
        return _OPERATOR.match(self.text, self.at) is not None

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def _matches(self, pattern: "re.Pattern[str]") -> bool:
        found = pattern.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True
