"""What is said to whoever waits, and how a failure ends."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterError(Exception):
    """The cluster cannot be had; the message says what to do."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"{what} ... ", end="", flush=True, file=sys.stderr)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", file=sys.stderr)
        raise
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
