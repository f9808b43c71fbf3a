"""A user's own patterns (`filter.metricsFormat`), on an engine that cannot backtrack for ever."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from ...api.errors import Fault, Invalid, MissingExtra
from ...api.observation import TextValue
from .numbers import to_number
from .reading import Reader, Reading

_PATH = "spec.metricsCollectorSpec.source.filter.metricsFormat"
_MOST_MATCHES = 256
_MEMORY = 8 << 20
_SYNTAX = (
    "look-around and back-references cannot be used; see https://github.com/google/re2/wiki/Syntax"
)
_GROUPS = "the first is the name, the second the value"
_NUMBERS = ("0", "12", "0.5", "-1", "1e-3", "12.3456")


def filter_reader(metrics: Sequence[str], patterns: Sequence[str]) -> Reader:
    """Return a reader by patterns whose first group is the name, and second the value.

    Where the second group takes no number, `(Genotype.*)` say, the value is a text; elsewhere
    what is no number is not read.

    Raises:
        Invalid: RE2 does not take a pattern, or it has fewer than two groups.
        MissingExtra: RE2 is not installed.
    """
    expressions = _compiled(patterns)
    wanted = frozenset(metrics)

    def read(line: bytes) -> list[Reading]:
        text = line.decode("utf-8", "replace")
        return [
            Reading(name, value, 0)
            for expression in expressions
            for match in islice(expression.finditer(text), _MOST_MATCHES)
            if (name := (match[1] or "").strip()) in wanted
            and (value := _value(match, expression)) is not None
        ]

    return read


def _compiled(patterns: Sequence[str]) -> list[Any]:
    try:
        import re2
    except ImportError:
        raise MissingExtra("filter.metricsFormat", "local") from None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    compiled = []
    faults = []
    for number, pattern in enumerate(patterns):
        path = f"{_PATH}[{number}]"
        try:
            expression = re2.compile(pattern, options)
        except re2.error as error:
            faults.append(Fault(path, f"no pattern of RE2: {_reason(error)}", _SYNTAX))
            continue
        if expression.groups < 2:
            faults.append(Fault(path, "two groups are required", _GROUPS))
        compiled.append(expression)
    if faults:
        raise Invalid(faults)
    return compiled


def _value(match: Any, expression: Any) -> float | None:
    written = match[2] or ""
    number = to_number(written)
    if number is not None or not written.strip() or _takes_numbers(match, expression):
        return number
    return TextValue(written.strip())


def _takes_numbers(match: Any, expression: Any) -> bool:
    """Whether a number could stand in place of the value that was found."""
    begin, end = match.span(2)
    before, behind = match.string[:begin], match.string[end:]
    for number in _NUMBERS:
        other = expression.match(before + number + behind, match.start())
        if other is not None and other[2] == number:
            return True
    return False


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
