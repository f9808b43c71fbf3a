"""One `--param NAME=SPACE`, read as a parameter of an Experiment.

    --param lr=log:1e-5..1e-1       double on a logarithmic scale
    --param drop=0.0..0.5           double
    --param drop=0.0..0.5/0.1       double in steps
    --param n=int:1..10             whole numbers
    --param width=int:log:8..512    whole numbers on a logarithmic scale
    --param batch=16,32,64          one of these numbers
    --param opt=adam,sgd            one of these words

The words before a range may stand in any order.
"""

import re
from typing import Any

from ..api.errors import Fault, Invalid

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
EXAMPLES = "write log:1e-5..1e-1, 0.0..1.0, int:1..10 or adam,sgd"

_RANGE = re.compile(r"(?P<low>[^./][^/]*?|\.\d[^/]*?)\.\.(?P<high>[^/]+?)(?:/(?P<step>.+))?")
_PLAIN = re.compile(r"[-+]?\d+")
_DISTRIBUTIONS = {"log": "logUniform", "normal": "normal", "lognormal": "logNormal"}
_WORDS = ("int", "float", "choice", *_DISTRIBUTIONS)


def parameter(written: str) -> dict[str, Any]:
    """Read one `--param`.

    Raises:
        Invalid: it says no space; the fault says how it would.
    """
    name, equals, space = written.partition("=")
    if not equals or not name:
        raise _bad(written, "it is not NAME=SPACE", EXAMPLES)
    if not NAME.fullmatch(name):
        remedy = "start with a letter from a to z; letters, digits and _ . - may follow"
        raise _bad(written, f"{name!r} is not a valid name of a parameter", remedy)
    words, rest = _prefixes(space)
    found = _RANGE.fullmatch(rest)
    if found is not None and "choice" not in words:
        return _range(name, written, words, found)
    entries = [entry.strip() for entry in rest.split(",")]
    if words and words != ["choice"]:
        raise _bad(written, f"{rest or 'nothing'} is not a range LOW..HIGH", EXAMPLES)
    if len(entries) < 2 and "choice" not in words:
        raise _bad(written, f"{rest or 'nothing'} is neither a range nor a list", EXAMPLES)
    if not all(entries) or len(set(entries)) < len(entries):
        raise _bad(written, "the list has an empty or a repeated entry", "list each value once")
    discrete = not words and all(_is_number(entry) for entry in entries)
    kind = "discrete" if discrete else "categorical"
    return {"name": name, "parameterType": kind, "feasibleSpace": {"list": entries}}


def _prefixes(space: str) -> tuple[list[str], str]:
    words: list[str] = []
    rest = space
    while True:
        word, colon, behind = rest.partition(":")
        if not colon or word not in _WORDS:
            return words, rest
        words.append(word)
        rest = behind


def _range(name: str, written: str, words: list[str], found: re.Match[str]) -> dict[str, Any]:
    low, high, step = found["low"].strip(), found["high"].strip(), found["step"]
    for text in filter(None, (low, high, step)):
        if not _is_number(text):
            raise _bad(written, f"{text} is not a number", EXAMPLES)
    whole = all(_PLAIN.fullmatch(text) for text in (low, high))
    kinds = {"int": "int", "float": "double"}
    chosen = [kinds[word] for word in words if word in kinds]
    scales = [_DISTRIBUTIONS[word] for word in words if word in _DISTRIBUTIONS]
    if len(chosen) > 1 or len(scales) > 1:
        raise _bad(written, f"{' and '.join(words)} contradict one another", "keep one")
    if not chosen and not scales and whole:
        raise _bad(
            written,
            f"{low}..{high} may mean whole or real numbers",
            f"write {name}=int:{low}..{high} or {name}=float:{low}..{high}",
        )
    space = {"min": low, "max": high}
    if step:
        space["step"] = step
    if scales:
        space["distribution"] = scales[0]
    kind = chosen[0] if chosen else "double"
    return {"name": name, "parameterType": kind, "feasibleSpace": space}


def _is_number(text: str) -> bool:
    try:
        return float(text) - float(text) == 0
    except ValueError:
        return False


def _bad(written: str, message: str, remedy: str) -> Invalid:
    return Invalid([Fault(f"--param {written}", message, remedy)])
