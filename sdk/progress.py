"""Progress of an experiment, for who waits for it: a display in a notebook, or lines."""

import sys
from collections.abc import Callable
from html import escape
from typing import Any

from ..api.errors import NotFound, Retryable
from ..api.words import counted
from .client import Client
from .results import Experiment

_STYLE = "font-family: var(--jp-ui-font-family, sans-serif); line-height: 1.6"


def progress(client: Client, name: str) -> Callable[[], None] | None:
    """Return what shows how an experiment stands now; None where the command that runs it does.

    IPython is never imported: a notebook has done so.
    """
    if _kernel() is not None:
        return _looking(client, name, _in_display(f"{name}: starting"))
    if client.is_remote:
        return _looking(client, name, _in_lines())
    return None


def _looking(client: Client, name: str, show: Callable[[Experiment], None]) -> Callable[[], None]:
    def look() -> None:
        try:
            experiment = client.experiment(name)
        except (NotFound, Retryable):
            return  # its engine has not begun, or its place is busy: the next look tells
        show(experiment)

    return look


def _in_display(first: str) -> Callable[[Experiment], None]:
    """Return what writes over what it showed before."""
    from IPython.display import display

    handle: Any = display(_bundle(first), raw=True, display_id=True)

    def show(experiment: Experiment) -> None:
        handle.update(_bundle(text(experiment), html(experiment)), raw=True)

    return show


def _in_lines() -> Callable[[Experiment], None]:
    """Return what prints a line where it differs from the one before."""
    last = ""

    def show(experiment: Experiment) -> None:
        nonlocal last
        line = text(experiment)
        if line != last:
            print(line, flush=True)  # noqa: T201 -- its purpose
        last = line

    return show


def _kernel() -> Any:
    """Return the shell of a notebook; a terminal's has no kernel."""
    running = sys.modules.get("IPython")
    shell = None if running is None else running.get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _bundle(plain: str, rich: str = "") -> dict[str, str]:
    return {"text/plain": plain, "text/html": rich or escape(plain)}


def text(experiment: Experiment) -> str:
    """Say in a line how an experiment stands."""
    return "; ".join([f"{experiment.name} {experiment.state}", *_told(experiment)])


def html(experiment: Experiment) -> str:
    """Show how an experiment stands, with a bar of what is done of its budget."""
    limit = experiment.data["max_trials"]
    done = experiment.data["trials"]["finished"]
    bar = f'<progress value="{done}" max="{limit}"></progress>' if limit else ""
    first = f"<b>{escape(experiment.name)}</b> {escape(experiment.state)} {bar}"
    return f'<div style="{_STYLE}">{"<br>".join([first, *map(escape, _told(experiment))])}</div>'


def _told(experiment: Experiment) -> list[str]:
    data, best = experiment.data, experiment.best
    limit = data["max_trials"]
    counts = {
        state: count
        for state, count in data["trials"].items()
        if state not in {"total", "finished", "dropped"}
    }
    finished = data["trials"]["finished"]
    ended = f"{finished} of {counted(limit, 'trial')}" if limit else counted(finished, "trial")
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [ended + (f": {states}" if states else "")]
    if best is not None:
        point = ", ".join(f"{name}={_number(value)}" for name, value in best.parameters.items())
        metric = data["objective"]["metric"]
        lines.append(f"best {metric}={_number(best.value)} in trial {best.index}: {point}")
    return lines


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
