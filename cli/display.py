"""Which display a run gets: a picture in a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from typing import Protocol

from ..api.objective import Objective
from ..controller.progress import Observer


class Display(Observer, Protocol):
    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def make_display(
    name: str, objective: Objective, *, live: bool, known: Sequence[float] = ()
) -> Display:
    """Return the display, drawing already."""
    if live:
        from .live import Display as Live

        picture = Live(name, objective, known=known)
        picture.open()
        return picture
    from .progress_lines import Lines

    return Lines(objective)
