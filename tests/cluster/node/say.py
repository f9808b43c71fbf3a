"""What is said to whoever waits, and how a failure ends."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterError(Exception):
    """The cluster cannot be had; the message says what to do."""


def say(what: str, end: str = "\n") -> None:
    print(what, end=end, flush=True, file=sys.stderr)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    say(f"{what} ... ", end="")
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say("failed")
        raise
    say(f"{time.monotonic() - began:.0f} s")
