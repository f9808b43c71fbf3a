"""Plots of what an experiment found, drawn by matplotlib, as the page shows them.

Each is a figure of matplotlib's that belongs to nobody: no window is opened, and nothing is
kept. A notebook shows it, `savefig` writes it.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..api.errors import MissingExtra
from ..api.objective import Direction
from ..api.space import Parameter
from .findings import Findings
from .values import Sample, Trial

try:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtra("plots", "plots") from error

LEAST_FOR_IMPORTANCE = 10
"""With fewer trials the shares would be chance: the page shows none either."""

_STATES = {
    "Succeeded": ("o", "#2a788e"),
    "EarlyStopped": ("s", "#e69f00"),
    "Running": (".", "#56b4e9"),
}
_OTHERS = ("x", "#999999")
_BEST, _REST = "#d55e00", "#a0a7b4"
_MOST_CURVES = 100
_AXIS_INCHES = 1.4


class Plot(Figure):
    """A figure that notebooks show wherever it is returned, whatever backend they have."""

    def _repr_png_(self) -> bytes:
        written = io.BytesIO()
        self.savefig(written, format="png", dpi=100)
        return written.getvalue()


@dataclass(frozen=True)
class Plots:
    """`result.plot`: a method a plot.

    `metric` chooses one of several objectives, by default the first. Trials that failed,
    broke a constraint or were dropped do not count.
    """

    findings: Findings = field(repr=False)
    samples: Callable[[int, str], Sequence[Sample]] = field(repr=False)

    def history(self, metric: str | None = None) -> Plot:
        """Draw the value of each trial by its number, and the best so far.

        Raises:
            ValueError: it is no objective.
        """
        name = self.findings.named(metric)
        figure, axes = _drawing(name)
        for state, trials in self._by_state(name).items():
            sign, colour = _STATES.get(state, _OTHERS)
            numbers = [trial.index for trial, _ in trials]
            axes.scatter(
                numbers, [value for _, value in trials], marker=sign, c=colour, label=state, s=22
            )
        steps = self.findings.best_so_far(name)
        if steps:
            axes.step(*zip(*steps, strict=True), where="post", color=_BEST, label="best so far")
        goal = self.findings.objective.goal
        if goal is not None and metric in {None, self.findings.objective.metric.name}:
            axes.axhline(goal, color="#009e73", linestyle="--", label="goal")
        axes.set(xlabel="trial", ylabel=name)
        _explain(axes)
        return figure

    def parallel(self, metric: str | None = None) -> Plot:
        """Draw a line for each trial across all parameters, the most important first.

        Raises:
            ValueError: it is no objective, or there are no parameters: an architecture has none.
        """
        name = self.findings.named(metric)
        shown = self._shown(name)
        worst_first = self.findings.ordered(name)[::-1]
        figure, axes = _drawing(name, width=3.0 + _AXIS_INCHES * len(shown))
        lines = LineCollection(
            [_across(trial, shown) for trial, _ in worst_first],
            array=[value for _, value in worst_first],
            cmap=self._colours(name),
            alpha=0.7,
        )
        axes.add_collection(lines)
        for place, parameter in enumerate(shown):
            _upright(axes, place, parameter)
        axes.set(xlim=(-0.2, max(len(shown) - 0.6, 0.2)), ylim=(-0.03, 1.03), yticks=[])
        axes.set_xticks(range(len(shown)), [each.name for each in shown])
        axes.spines[["top", "left", "right"]].set_visible(False)
        figure.colorbar(lines, ax=axes, label=name)
        return figure

    def importance(self, metric: str | None = None) -> Plot:
        """Draw how much of the variance of the value's rank each parameter explains by itself.

        Raises:
            ValueError: it is no objective, or too few trials have a value.
        """
        name = self.findings.named(metric)
        count = len(self.findings.counted(name))
        if count < LEAST_FOR_IMPORTANCE:
            raise ValueError(
                f"importance needs {LEAST_FOR_IMPORTANCE} trials with a value of {name}:"
                f" there are {count}"
            )
        shares = self.findings.importance(name)
        figure, axes = _drawing(name, height=1.2 + 0.35 * len(shares))
        bars = axes.barh(list(shares)[::-1], list(shares.values())[::-1], color="#2a788e")
        axes.bar_label(bars, [f"{share:.0%}" for share in reversed(shares.values())], padding=3)
        axes.set(xlabel="share of the variance of the rank", xlim=(0, 1.08))
        return figure

    def slice(self, *parameters: str, metric: str | None = None) -> Plot:
        """Draw the value against each parameter, or against those that are named.

        Raises:
            ValueError: there is no such objective or parameter, or there are no parameters.
        """
        name = self.findings.named(metric)
        shown = [self._parameter(each) for each in parameters] or self._shown(name)
        figure = Plot(figsize=(1.0 + 2.8 * len(shown), 3.6), layout="constrained")
        counted = self.findings.counted(name)
        every = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axes, parameter in zip(every, shown, strict=True):
            points = [
                (place, value)
                for trial, value in counted
                if (place := _at(parameter, trial)) is not None
            ]
            axes.scatter([x for x, _ in points], [y for _, y in points], c="#2a788e", s=18)
            axes.set(xlabel=parameter.name)
            _scale(axes, parameter)
        every[0].set(ylabel=name)
        return figure

    def curves(self, metric: str | None = None) -> Plot:
        """Draw how a metric, by default the objective, went while trials ran; the best stands out.

        Of many trials it shows the newest, and the best one.

        Raises:
            Unsupported: the experiment's place keeps no single values.
        """
        first = self.findings.objective.metric.name
        name = metric or first
        order = [trial.index for trial, _ in self.findings.ordered(first)]
        newest = [trial.index for trial in self.findings.trials][-_MOST_CURVES:]
        figure, axes = _drawing(name)
        for index in dict.fromkeys([*newest, *order[:1]]):
            samples = self.samples(index, name)
            steps = [
                place if each.step is None else each.step for place, each in enumerate(samples, 1)
            ]
            best = index in order[:1]
            axes.plot(
                steps,
                [each.value for each in samples],
                color=_BEST if best else _REST,
                linewidth=2.2 if best else 1.0,
                zorder=3 if best else 2,
                marker="." if len(samples) == 1 else "",
                label=f"trial {index}, the best" if best else None,
            )
        axes.set(xlabel="step", ylabel=name)
        _explain(axes)
        return figure

    def pareto(self, x: str | None = None, y: str | None = None) -> Plot:
        """Draw two objectives against each other, by default the first two, with their front.

        Raises:
            ValueError: there is but one objective, or one is none.
        """
        names = list(self.findings.directions)
        if len(names) < 2:
            raise ValueError(
                f"a front needs two objectives, and {names[0]} is the only one: spec.objectives"
            )
        across = self.findings.named(x or names[0])
        up = self.findings.named(y or next(name for name in names if name != across))
        front = {trial.index for trial in self.findings.front([across, up])}
        points = self.findings.together([across, up])
        figure, axes = _drawing(f"{up} over {across}")
        rest = [(a, b) for trial, a, b in points if trial.index not in front]
        best = sorted((a, b) for trial, a, b in points if trial.index in front)
        axes.scatter([a for a, _ in rest], [b for _, b in rest], c=_REST, s=20, label="bettered")
        lower = self.findings.directions[across] is Direction.MINIMIZE
        axes.step(
            [a for a, _ in best],
            [b for _, b in best],
            where="post" if lower else "pre",
            color=_BEST,
            linestyle="--",
            marker="D",
            label="front",
        )
        axes.set(xlabel=self._better(across), ylabel=self._better(up))
        _explain(axes)
        return figure

    def _by_state(self, metric: str) -> dict[str, list[tuple[Trial, float]]]:
        states: dict[str, list[tuple[Trial, float]]] = {}
        for trial in self.findings.trials:
            value = self.findings.value(trial, metric)
            if value is not None and math.isfinite(value):
                states.setdefault(trial.state, []).append((trial, value))
        return states

    def _shown(self, metric: str) -> list[Parameter]:
        """Return all parameters, the most important first."""
        if not self.findings.parameters:
            raise ValueError("an architecture was searched, which has no parameters to draw")
        return [self._parameter(each) for each in self.findings.importance(metric)]

    def _parameter(self, name: str) -> Parameter:
        for each in self.findings.parameters:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.findings.parameters)
        raise ValueError(f"{name} is not a parameter: name some of {known}")

    def _colours(self, metric: str) -> str:
        """Name a scale of colours on which the best is the darkest."""
        lower = self.findings.directions[metric] is Direction.MINIMIZE
        return "viridis" if lower else "viridis_r"

    def _better(self, metric: str) -> str:
        lower = self.findings.directions[metric] is Direction.MINIMIZE
        return f"{metric} ({'less' if lower else 'more'} is better)"


def _drawing(title: str, *, width: float = 7.0, height: float = 4.2) -> tuple[Plot, Axes]:
    figure = Plot(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def _explain(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _at(parameter: Parameter, trial: Trial) -> float | None:
    """Return where a trial's value stands on the parameter's axis; None where it is inactive."""
    value = trial.parameters.get(parameter.name)
    if value is None:
        return None
    return float(value) if parameter.is_numeric else float(parameter.choices.index(str(value)))


def _scale(axes: Axes, parameter: Parameter) -> None:
    if not parameter.is_numeric:
        axes.set_xticks(range(len(parameter.choices)), parameter.choices)
    elif parameter.distribution.is_log:
        axes.set_xscale("log")


def _across(trial: Trial, shown: Sequence[Parameter]) -> list[tuple[float, float]]:
    """Return a trial's line of parallel coordinates; what is inactive is left out of it."""
    heights = ((place, _height(each, _at(each, trial))) for place, each in enumerate(shown))
    return [(float(place), height) for place, height in heights if height is not None]


def _height(parameter: Parameter, at: float | None) -> float | None:
    """Return the share of the axis that lies below."""
    if at is None:
        return None
    low, high = _ends(parameter)
    if parameter.is_numeric and parameter.distribution.is_log:
        at, low, high = math.log(at), math.log(low), math.log(high)
    return (at - low) / (high - low) if high > low else 0.5


def _ends(parameter: Parameter) -> tuple[float, float]:
    if parameter.is_numeric:
        return float(parameter.low), float(parameter.high)
    return 0.0, float(len(parameter.choices) - 1)


def _upright(axes: Axes, place: int, parameter: Parameter) -> None:
    """Draw an axis of parallel coordinates with the names of its ends, or of all its choices."""
    axes.axvline(place, color="#555555", linewidth=0.8)
    marks: list[Any] = list(map(float, _ends(parameter)))
    labels = [f"{mark:g}" for mark in marks]
    if not parameter.is_numeric:
        marks, labels = list(range(len(parameter.choices))), list(parameter.choices)
    for mark, label in zip(marks, labels, strict=True):
        height = _height(parameter, mark)
        axes.annotate(
            label, (place, height or 0.0), (3, 0), textcoords="offset points", va="center"
        )
