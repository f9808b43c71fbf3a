"""What can be done with experiments, wherever they are: the port behind `Client`."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ..api.asked import Answer
from ..api.space import Value
from .values import Sample

Shape: TypeAlias = Mapping[str, Any]
"""An experiment, a trial or an event as `-o json` shows it."""

LOOK_SECONDS = 0.3
"""Between two looks at what is waited for."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class Verbs(Protocol):
    """`name` is a bare name, or one behind its namespace and a slash; `trial` as it was typed.

    Nothing by that name is NotFound; what is refused as things are is Conflict.
    """

    def close(self) -> None: ...

    # Beginning.

    def create(self, path: Path, workdir: str | None) -> str:
        """Begin a file's experiment, and return its name, which its namespace may precede."""
        ...

    def run(self, path: Path, look: Callable[[], None] | None) -> int:
        """Drive it to its end, shown in this terminal or to `look`; 1 when it failed."""
        ...

    # Looking.

    def experiments(self) -> Sequence[Shape]: ...

    def experiment(self, name: str) -> Shape:
        """Return an experiment with its `document`."""
        ...

    def wait(self, name: str, seconds: float | None) -> Shape:
        """Return an experiment that has ended.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        ...

    def trials(self, name: str, state: str | None) -> Sequence[Shape]: ...

    def trial(self, name: str, trial: str) -> Shape: ...

    def samples(self, name: str, trial: str, metric: str | None) -> Sequence[Sample]: ...

    def log(self, name: str, trial: str, *, follow: bool) -> Iterator[str]: ...

    def events(self, name: str) -> Sequence[Shape]: ...

    def explain(self, name: str) -> Sequence[str]: ...

    # Changing. What has ended already is neither paused nor stopped, without a word.

    def pause(self, name: str, *, now: bool) -> None: ...

    def resume(self, name: str) -> None: ...

    def stop(self, name: str) -> None: ...

    def delete(self, name: str) -> None: ...

    def edit(self, name: str, changes: Mapping[str, Any]) -> None:
        """Change budgets, labels and note, as `controller.edits` writes changes."""
        ...

    def change_trial(self, name: str, trial: str, verb: str) -> None:
        """`stop`, `retry` or `drop` a trial."""
        ...

    def add_trial(self, name: str, values: Mapping[str, Value]) -> None:
        """Add a trial with a value of every parameter."""
        ...

    # Trials that people run themselves.

    def answer(self, name: str) -> Answer: ...

    def told(
        self, name: str, index: int, token: str, values: Mapping[str, float], failed: str | None
    ) -> bool: ...


class Pauses:
    """The seconds between two questions for a point: few at first, and none once time is up."""

    def __init__(self, name: str, timeout: float | None) -> None:
        self._name = name
        self._until = None if timeout is None else time.monotonic() + timeout
        self._next = _SHORTEST_PAUSE

    def after(self, answer: Answer) -> float:
        """Return how long to wait after an answer without a point.

        Raises:
            TimeoutError: that would be too long; the message says why there is no point.
        """
        pause, self._next = self._next, min(2 * self._next, _LONGEST_PAUSE)
        if self._until is not None and time.monotonic() + pause > self._until:
            raise TimeoutError(f"{self._name} has no point: {'; '.join(answer.why)}")
        return pause


def late(name: str, state: object, seconds: float, why: str = "") -> TimeoutError:
    return TimeoutError(f"{name} is {state} after {seconds:g} s{why}")
