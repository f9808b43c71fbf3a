"""The live display of a run, drawn over itself in a terminal."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from ..api.objective import Objective
from ..controller.progress import FinishedTrial, Snapshot
from .picture import Scene, draw

_KEPT = 600  # values that the spark lines are drawn from


class Display:
    """An observer that keeps the newest snapshot; rich's thread draws it, four times a second."""

    def __init__(
        self,
        name: str,
        objective: Objective,
        *,
        console: Console | None = None,
        known: Sequence[float] = (),
    ) -> None:
        self._name = name
        self._objective = objective
        self._snapshot: Snapshot | None = None
        self._values: list[float] = []
        self._bests: list[float] = []
        self._failure = ""
        for value in known:
            self._take(value)
        self._live = Live(
            self,
            console=console or Console(),
            refresh_per_second=4,
            redirect_stderr=True,
            transient=True,
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        yield Text("\n").join(self.picture(options.max_width))

    def picture(self, width: int) -> list[Text]:
        """Return the lines to draw now."""
        if self._snapshot is None:
            return [Text(f"{self._name}  starting")]
        scene = Scene(
            self._name, self._objective, self._snapshot, self._values, self._bests, self._failure
        )
        return draw(scene, width)

    def open(self) -> None:
        """Start drawing."""
        self._live.start()

    def close(self) -> None:
        """Take the display off the terminal; what was there before is there again."""
        self._live.stop()

    def snapshot(self, snapshot: Snapshot) -> None:
        """Keep the newest state, for the next time it is drawn."""
        self._snapshot = snapshot

    def finished(self, trial: FinishedTrial) -> None:
        """Add a trial's value to the curves; show the message of the newest failure."""
        if trial.value is not None and trial.is_good:
            self._take(trial.value)
        if trial.state in {"Failed", "MetricsUnavailable"} and trial.message:
            self._failure = f"trial {trial.index}: {trial.message}"

    def event(self, at: float, kind: str, reason: str, message: str, *, trial: str | None) -> None:
        """Print warnings of the experiment above the picture."""
        del at
        if kind == "Warning" and trial is None:
            self._live.console.print(Text(f"{reason}: {message}", style="yellow"))

    def _take(self, value: float) -> None:
        best = self._bests[-1] if self._bests else None
        if best is None and not self._objective.better(value, None):
            return
        self._values.append(value)
        self._bests.append(value if best is None or self._objective.better(value, best) else best)
        if len(self._values) > 2 * _KEPT:
            del self._values[:_KEPT]
            self._bests = self._bests[::2]
