"""A run as plain lines, for output that is not a terminal: a line for each event that matters."""

import time
from collections.abc import Callable

import click

from ..api.objective import Objective
from ..controller.progress import FinishedTrial, Snapshot
from . import console

_QUIET_SECONDS = 30.0  # without a line, after which one says that the run goes on
_WAITS = 6  # reasons for waiting that are shown; each trial may have one


class Lines:
    """An observer that prints lines for finished trials, but not for all of a long run.

    The first trials are all shown; of later ones those that are the best so far, and the first
    failures.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        best: float | None = None,
        write: Callable[[str], None] = click.echo,
        shown: int = 50,
    ) -> None:
        self._objective = objective
        self._write = write
        self._shown = shown
        self._best = best
        self._failures = 0
        self._count = 0
        self._last = time.monotonic()

    def snapshot(self, snapshot: Snapshot) -> None:
        """After a while without a line, say how far the run is and what it waits for."""
        if time.monotonic() - self._last < _QUIET_SECONDS:
            return
        counts = ", ".join(f"{count} {state}" for state, count in snapshot.counts if count)
        waits, more = snapshot.waiting_for[:_WAITS], len(snapshot.waiting_for) - _WAITS
        rest = [f"and {more} more"] if more > 0 else []
        self._say("; ".join([counts or "no trials yet", *waits, *rest]))

    def finished(self, trial: FinishedTrial) -> None:
        """Show a trial that ended."""
        self._count += 1
        better = trial.is_good and self._objective.better(trial.value, self._best)
        if better:
            self._best = trial.value
        failed = trial.state in {"Failed", "MetricsUnavailable"}
        self._failures += failed
        if self._count > self._shown and not better and not (failed and self._failures <= 10):
            return
        value = (
            ""
            if trial.value is None
            else f" {self._objective.metric.name}={console.number(trial.value)}"
        )
        mark = " (best so far)" if better else ""
        telling = failed or (trial.value is not None and not trial.is_good)
        why = f": {console.brief(trial.message)}" if telling and trial.message else ""
        point = console.point(trial.point.items())
        self._say(f"trial {trial.index} {trial.state}{value}{mark}  {point}{why}")
        if self._count == self._shown:
            self._say("From here on, only trials that improve on the best are shown.")

    def event(self, at: float, kind: str, reason: str, message: str, *, trial: str | None) -> None:
        """Show warnings that concern the experiment itself."""
        del at
        if kind == "Warning" and trial is None:
            self._say(f"{reason}: {message}")

    def close(self) -> None:
        """Nothing to take down."""

    def _say(self, line: str) -> None:
        """Print a line; a reader that has left, or a full disk, ends no run."""
        self._last = time.monotonic()
        try:
            self._write(line)
        except OSError as error:
            console.go_on_unseen(error)
