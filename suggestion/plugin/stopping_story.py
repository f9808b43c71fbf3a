"""Experiments in memory that stopping rules are shown: curves, the log of them, and a replay."""

import math
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ...api.objective import Direction, Metric, Objective, Strategy
from ...api.observation import Observation, summarize_on
from ...api.stopping import Evaluator, Progress, Stop, StoppingRule
from .question import Broken

Curve: TypeAlias = Sequence[float]
Wave: TypeAlias = Mapping[int, Curve]
"""Trials that run side by side, by index: what each of them would report, in order."""
Ends: TypeAlias = Mapping[int, int]
"""Of each trial that was stopped, the report at which it was."""

REPORTS = 30
METRIC = "quality"
MINIMIZE = Objective(Metric(METRIC, Strategy.MIN), Direction.MINIMIZE)
MAXIMIZE = Objective(Metric(METRIC, Strategy.MAX), Direction.MAXIMIZE)
_GRID = 1024  # values are whole numbers of 1/_GRID, so that 1 - value is exact


@dataclass(slots=True)
class MemoryLog:
    """A `CurveLog` of what was reported so far; `asked` counts what was read of it.

    Each is an experiment of its own: a service may have held another.
    """

    uid: str = field(default_factory=lambda: f"contract-{uuid.uuid4()}")
    values: dict[int, list[float]] = field(default_factory=dict)
    ended: list[tuple[int, bool]] = field(default_factory=list)
    asked: int = 0

    def end(self, index: int, *, early_stopped: bool = False) -> None:
        self.ended.append((index, early_stopped))

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        self._check(experiment_uid)
        new = self.ended[position:]
        self.asked += 1 + len(new)
        return len(self.ended), [index for index, stopped in new if early_stopped or not stopped]

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        self._check(experiment_uid)
        seen = self.values.get(index, [])
        wanted = sorted({count for count in (*reports, len(seen)) if 1 <= count <= len(seen)})
        self.asked += len(wanted)
        return dict(_means(seen, wanted))

    def observation(self, uid: str, index: int) -> Observation:
        self._check(uid)
        samples = [(METRIC, value, float(n), None) for n, value in enumerate(self.values[index])]
        return summarize_on({}, samples)

    def _check(self, experiment_uid: str) -> None:
        if experiment_uid != self.uid:
            raise Broken(f"asked about {experiment_uid} while {self.uid} is judged")


def _means(seen: Curve, wanted: Sequence[int]) -> Iterable[tuple[int, float]]:
    total, numbers, begin = 0.0, 0, 0
    for count in wanted:
        for value in seen[begin:count]:
            if not math.isnan(value):
                total, numbers = total + value, numbers + 1
        begin = count
        yield count, total / numbers if numbers else math.nan


def progress(index: int, seen: Curve, objective: Objective) -> Progress:
    """Return the last report of a trial that has reported all of these."""
    numbers = [value for value in seen if not math.isnan(value)]
    pick = min if objective.direction is Direction.MINIMIZE else max
    ((_, mean),) = _means(seen, [len(seen)])
    best, nans = pick(numbers, default=math.nan), len(seen) - len(numbers)
    return Progress(index, 1, len(seen), seen[-1], mean, best, nans)


def replay(
    waves: Sequence[Wave],
    rule: StoppingRule,
    evaluators: Callable[[], Evaluator],
    objective: Objective = MINIMIZE,
) -> Ends:
    """Run the trials of wave after wave, report by report in turn.

    `evaluators` gives the evaluator of each report: always the same, or another one.

    Raises:
        Broken: it answers what is no stop of the trial that reported.
    """
    log = MemoryLog()
    ends: dict[int, int] = {}
    for wave in waves:
        for count in range(1, max(map(len, wave.values())) + 1):
            for index, curve in wave.items():
                if index in ends or count > len(curve):
                    continue
                seen = log.values.setdefault(index, [])
                seen.append(curve[count - 1])
                report = progress(index, seen, objective)
                found = evaluators().evaluate(log.uid, rule, objective, [report], log)
                if found:
                    _check(found, report)
                    ends[index] = count
        for index in wave:
            log.end(index, early_stopped=index in ends)
    return ends


def _check(stops: Sequence[Stop], report: Progress) -> None:
    for stop in stops:
        if (stop.index, stop.attempt) != (report.index, report.attempt):
            raise Broken(f"trial {stop.index} is stopped at a report of trial {report.index}")
        if not stop.reason.strip():
            raise Broken("a stop has no reason")


def story() -> list[Wave]:
    """Return ten waves of four losses in (0, 1): most fall, some stand still, some rise."""
    chance = random.Random(7)
    curves = [_curve(chance, place) for place in range(40)]
    return [
        {index: curves[index] for index in range(first, first + 4)} for first in range(0, 40, 4)
    ]


def _curve(chance: random.Random, place: int) -> Curve:
    start, end = chance.uniform(0.5, 0.95), chance.uniform(0.1, 0.5)
    shapes: Sequence[Callable[[float], float]] = (
        lambda part: start + (end - start) * part,
        lambda part: end + (start - end) * math.exp(-6 * part),
        lambda _part: start,
        lambda part: end + (0.97 - end) * part,
    )
    shape = shapes[place % 4]
    return [
        _on_grid(shape(report / REPORTS) + chance.uniform(-0.01, 0.01)) for report in range(REPORTS)
    ]


def best_curve() -> list[float]:
    """Return losses that are below all of the story's, and fall with every report, ever slower."""
    return [0.02 + 0.06 * math.exp(-6 * report / REPORTS) for report in range(REPORTS)]


def _on_grid(value: float) -> float:
    return min(max(round(value * _GRID), 1), _GRID - 1) / _GRID


def mirrored(waves: Sequence[Wave]) -> list[Wave]:
    """Return the accuracies that are as good as these losses."""
    return [
        {index: [1 - value for value in curve] for index, curve in wave.items()} for wave in waves
    ]


def with_trial(waves: Sequence[Wave], index: int, curve: Curve) -> list[Wave]:
    """Let one more trial run beside the others of each wave, under indexes from `index` on."""
    return [{index + place: curve, **wave} for place, wave in enumerate(waves)]
