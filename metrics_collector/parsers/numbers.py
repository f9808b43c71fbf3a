"""Numbers as training programs print them."""

import re

NUMBER = rb"[+-]?(?:\d+(?:\.\d+|\.(?=[eE][+-]?\d))?|\.\d+)(?:[eE][+-]?\d+)?"
"""A decimal number; `1.e-05`, as numpy prints it, is one. It never ends in a bare point."""

NOT_FINITE = rb"[+-]?(?:[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)(?![\w])"

VALUE = rb"(?:" + NUMBER + rb"|" + NOT_FINITE + rb")"

_VALUE = re.compile(VALUE)


def to_number(text: bytes | str) -> float | None:
    """Read a text that is a number and nothing else, blanks, quotes and `%` around it aside."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    found = _VALUE.fullmatch(raw.strip(b" \t\r\n'\"%"))
    return None if found is None else float(found[0])
