"""What is wrong, as Katib's services say it: callers show the text as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..api.errors import Invalid, Terminal


class Refused(Terminal):
    """`Invalid` for a caller who shows the text as it is."""

    codes = Invalid.codes


@contextmanager
def in_katibs_words() -> Iterator[None]:
    """Tell what is wrong by Katib's messages alone, one a line."""
    try:
        yield
    except Invalid as error:
        raise Refused("\n".join(fault.message for fault in error.faults)) from error
