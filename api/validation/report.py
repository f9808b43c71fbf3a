"""Where the checks put what they find."""

import math
from decimal import Decimal, InvalidOperation

from ..errors import Fault

REQUIRED = "Required"
INVALID = "Invalid"
DUPLICATE = "Duplicate"
UNKNOWN = "Unknown"
FORBIDDEN = "Forbidden"


class Report:
    """The faults so far. `broken` paths could not be read: what lies at or below is not checked."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.faults: list[Fault] = []
        self._broken = broken

    def add(self, path: str, message: str, remedy: str = "", *, kind: str = INVALID) -> None:
        if not any(path == b or path.startswith((f"{b}.", f"{b}[")) for b in self._broken):
            self.faults.append(Fault(path, message, remedy, kind))

    def require(self, path: str, value: object, remedy: str = "") -> bool:
        """Report a value that is absent or empty; say whether it is there."""
        if value is None or value in ("", (), {}):
            self.add(path, "must be specified", remedy, kind=REQUIRED)
            return False
        return True

    def one_of(self, path: str, value: str | None, known: list[str], message: str = "") -> bool:
        if value in known:
            return True
        self.add(path, message or f"{value!r} is not known", f"one of {', '.join(known)}")
        return False

    def at_least(self, path: str, value: float | None, least: float) -> None:
        # Compared as it is: a whole number may be greater than any float.
        if value is not None and not least <= value < math.inf:
            wrong = "too small" if value < least else "not finite"
            shown = value if isinstance(value, int) else f"{value:g}"
            self.add(path, f"{shown} is {wrong}", f"{least:g} or more")

    def unique(self, path: str, names: list[str], *, of: str) -> None:
        """Report names that stand twice; `path` has a {} for the index."""
        first: dict[str, int] = {}
        for i, name in enumerate(names):
            if name and name in first:
                self.add(
                    path.format(i),
                    f"{of} {name!r} is listed twice, first at index {first[name]}",
                    "remove one of them, or rename it",
                    kind=DUPLICATE,
                )
            first.setdefault(name, i)


def number(text: str | None) -> Decimal | None:
    """Read a finite number exactly, None where it is none."""
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
