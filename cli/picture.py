"""The lines of the live display, made of a snapshot alone, without a terminal or a clock.

They fit a given width, and are few, however many trials a run has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from ..api.objective import Direction, Objective
from ..api.space import Point
from ..api.states import TrialState
from ..controller.progress import BestTrial, RunningTrial, Snapshot
from . import console
from .spark import spark

_SHOWN_RUNNING = 8
_LABEL = 8
_COLOURS = {
    "Succeeded": "green",
    "EarlyStopped": "cyan",
    "Failed": "red",
    "MetricsUnavailable": "yellow",
    "Killed": "magenta",
    "Running": "blue",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A snapshot, and from before it the objective's values and the best after each of them."""

    name: str
    objective: Objective
    snapshot: Snapshot
    values: Sequence[float] = ()
    bests: Sequence[float] = ()
    last_failure: str = ""


def draw(scene: Scene, width: int) -> list[Text]:
    """Return the lines of the display."""
    lines = [*_lines(scene, width)]
    for line in lines:
        line.truncate(max(width, 1), overflow="ellipsis")
    return lines


def _lines(scene: Scene, width: int) -> Iterator[Text]:
    shot = scene.snapshot
    yield _head(scene)
    yield _bar(shot, width)
    if shot.best is None:
        goal = f"no value of {scene.objective.metric.name} yet"
        yield _labelled("best", Text(goal, style="dim"))
    else:
        yield from _best(scene, shot.best, width)
    line = spark(scene.bests, min(max(width - _LABEL - 24, 8), 60))
    if len(scene.bests) > 1:
        ends = f"  {console.number(scene.bests[0])} → {console.number(scene.bests[-1])}"
        yield _labelled("", Text(line, style="green") + Text(ends, style="dim"))
    if len(scene.values) > 1:
        recent = spark(scene.values[-60:], min(max(width - _LABEL - 24, 8), 60))
        yield _labelled("values", Text(recent, style="blue"))
    for trial in shot.running[:_SHOWN_RUNNING]:
        yield _running(scene, trial, shot.at, width)
    hidden = len(shot.running) - _SHOWN_RUNNING
    if hidden > 0:
        yield _labelled("", Text(f"and {hidden} more", style="dim"))
    for reason in _held_up(shot)[:3]:
        yield _labelled("waits", Text(" ".join(reason.split()), style="yellow"))
    if scene.last_failure:
        yield _labelled("failed", Text(console.brief(scene.last_failure), style="red"))


def _held_up(shot: Snapshot) -> list[str]:
    """Return what keeps slots empty, if any are; that others are in use is not worth a line."""
    if len(shot.running) >= shot.parallel_trials:
        return []
    no_news = ("slots in use", "is about to start")
    return [reason for reason in shot.waiting_for if not reason.endswith(no_news)]


def _labelled(label: str, text: Text) -> Text:
    return Text.assemble((label.ljust(_LABEL), "dim"), text)


def _head(scene: Scene) -> Text:
    shot = scene.snapshot
    state = "ending the running trials; Ctrl-C again ends at once" if shot.leaving else ""
    state = state or ("paused" if shot.suspended else str(shot.state))
    text = Text.assemble((scene.name, "bold"), "  ", (state, "yellow" if shot.leaving else ""))
    counts = dict(shot.counts)
    for name, colour in _COLOURS.items():
        if counts.get(name):
            text.append("  ")
            text.append(f"{counts[name]} {name}", style=colour)
    return text


def _bar(shot: Snapshot, width: int) -> Text:
    done = _finished(shot)
    times = console.duration(shot.active_seconds)
    if shot.seconds_left is not None and not shot.state.is_finished:
        times += f", {console.duration(shot.seconds_left)} left"
    if not shot.max_trials:
        return _labelled("trials", Text(f"{done} of no limit  {times}"))
    tail = f" {done}/{shot.max_trials}  {times}"
    room = max(min(width - _LABEL - len(tail), 60), 4)
    full = min(int(room * done / shot.max_trials), room)
    return Text.assemble(
        ("trials".ljust(_LABEL), "dim"), ("━" * full, "green"), ("─" * (room - full), "dim"), tail
    )


def _finished(shot: Snapshot) -> int:
    return sum(count for state, count in shot.counts if TrialState(state).is_finished)


def _best(scene: Scene, best: BestTrial, width: int) -> Iterator[Text]:
    arrow = "↓" if scene.objective.direction is Direction.MINIMIZE else "↑"
    goal = (
        "" if scene.objective.goal is None else f"  (goal {console.number(scene.objective.goal)})"
    )
    value = f"{scene.objective.metric.name} {arrow} {console.number(best.value)}"
    yield _labelled("best", Text.assemble((value, "bold green"), f"  trial {best.index}{goal}"))
    for line in _wrap(best.point, width - _LABEL):
        yield _labelled("", Text(line))


def _wrap(point: Point, width: int) -> Iterator[str]:
    """Break a point into lines of whole assignments, three at most."""
    lines: list[str] = [""]
    for name, value in point.items():
        word = console.point([(name, value)])
        if lines[-1] and len(lines[-1]) + 2 + len(word) > width:
            lines.append("")
        lines[-1] += ("  " if lines[-1] else "") + word
    yield from lines[:3]


def _running(scene: Scene, trial: RunningTrial, now: float, width: int) -> Text:
    took = "starting" if trial.started_at is None else console.duration(now - trial.started_at)
    metric = (
        ""
        if trial.metric is None
        else f"{scene.objective.metric.name}={console.number(trial.metric)}"
    )
    if trial.step is not None and metric:
        metric += f" @{trial.step}"
    attempt = f" attempt {trial.attempt}" if trial.attempt > 1 else ""
    stopping = " stopping" if trial.stopping else ""
    head = f"{trial.index:>5}  {took:>8}{attempt}{stopping}  "
    text = _labelled("running" if trial is scene.snapshot.running[0] else "", Text(head))
    text.append(metric.ljust(24 if width >= 100 else len(metric)), style="cyan")
    text.append("  " + console.point(trial.point.items()), style="dim")
    return text
