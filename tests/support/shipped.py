"""Functions that a test sends to a cluster, as a user's module would hold them."""

import math
import posixpath as paths
from collections import OrderedDict as Ordered
from statistics import fmean

SCALE = 2.0
TABLE = {"a": [1, 2]}
LOCK = open  # a builtin
HANDLE = object()


class Square:
    def __init__(self, of: float) -> None:
        self.value = of * of


def helper(x: float) -> float:
    return SCALE * Square(x).value


def again(n: int) -> int:
    return 1 if n == 0 else n * again(n - 1)


def loss(x: float, n: int = 2, kind: str = "a") -> dict[str, float]:
    assert (type(x), type(n), type(kind)) == (float, int, str)
    text = f"$(HOME) $$ ${'{'}x{'}'} {paths.sep}"
    assert text == "$(HOME) $$ ${x} /", text
    held = Ordered(one=math.floor(x))
    return {"loss": helper(x) + fmean(TABLE[kind]) + again(n), "floor": held["one"]}


class Scaled:
    SCALE = SCALE


calls = 0


def own(HANDLE: float) -> float:  # noqa: N803 -- called as what cannot be written
    global calls  # noqa: PLW0603 -- what a notebook does
    calls += 1
    LOCK = sum(TABLE for TABLE in [HANDLE])  # noqa: N806
    return LOCK * Scaled.SCALE + calls


def unwritable(x: float) -> float:
    return x if HANDLE else 0.0


def around(offset: float):
    def inner(x: float) -> float:
        return x + offset

    return inner
