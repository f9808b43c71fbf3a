"""Brackets and rungs: which configurations are trained how far, as a function of what ended."""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ...api.space import Parameter, ParameterKind, Point, Value

Score: TypeAlias = tuple[bool, float]
"""Whether the trial was stopped early, and its loss: what was trained to the end comes first."""


@dataclass(slots=True)
class Rung:
    """Trials of one bracket that are given the same resource.

    `trials` holds their configurations by index. Those with a value stand in
    `ranking`, best first, and those of them that no trial of the rung above
    continues in `waiting`.
    """

    bracket: int
    level: int
    size: int
    resource: Value
    trials: dict[int, Point] = field(default_factory=dict)
    scores: dict[int, Score | None] = field(default_factory=dict)
    ranking: list[tuple[Score, int]] = field(default_factory=list)
    waiting: list[tuple[Score, int]] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)
    _by_point: dict[frozenset[tuple[str, Value]], int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether everything that was started has ended."""
        return len(self.scores) == len(self.trials)

    def enter(self, index: int, point: Point) -> None:
        self.trials[index] = point
        self._by_point[frozenset(point.items())] = index

    def end(self, index: int, score: Score | None) -> None:
        """Take a trial's end into account; without a score it is not promoted."""
        self.scores[index] = score
        if score is not None:
            bisect.insort(self.ranking, (score, index))
            if index not in self.promoted:
                bisect.insort(self.waiting, (score, index))

    def promote(self, index: int) -> None:
        """Note that a trial of the rung above continues this one."""
        self.promoted.add(index)
        self._take_out(self.waiting, index)

    def demote(self, index: int) -> None:
        """Forget a promotion."""
        self.promoted.discard(index)
        score = self.scores.get(index)
        if score is not None:
            bisect.insort(self.waiting, (score, index))

    def leave(self, index: int) -> None:
        """Forget a trial."""
        self._by_point.pop(frozenset(self.trials.pop(index).items()), None)
        self._take_out(self.waiting, index)
        self._take_out(self.ranking, index)
        self.promoted.discard(index)
        self.scores.pop(index, None)

    def best_waiting(self, places: int) -> int | None:
        """Return the best trial among the first `places` that was not promoted."""
        if not self.waiting:
            return None
        best = self.waiting[0]
        return best[1] if bisect.bisect_left(self.ranking, best) < places else None

    def trial_of(self, point: Point) -> int | None:
        """Return the trial that has a configuration."""
        return self._by_point.get(frozenset(point.items()))

    def _take_out(self, ordered: list[tuple[Score, int]], index: int) -> None:
        score = self.scores.get(index)
        if score is None:
            return
        place = bisect.bisect_left(ordered, (score, index))
        if ordered[place : place + 1] == [(score, index)]:
            del ordered[place]


def levels(greatest: float, eta: int, least: float = 1.0) -> list[float]:
    """Return `greatest` and its divisions by `eta` down to `least`, rising."""
    found = [greatest]
    while found[-1] / eta >= least * (1 - 1e-9):
        found.append(max(found[-1] / eta, least))  # a rounding may have made it less
    return found[::-1]


def brackets(greatest: float, eta: int) -> Iterator[list[tuple[int, float]]]:
    """Yield each bracket's rungs as (trials, resource), as Li et al. 2018 (Algorithm 1).

    JMLR 18(185). The first bracket begins with the most trials and the least resource.
    """
    resources = levels(greatest, eta)
    count = len(resources)
    for s in range(count - 1, -1, -1):
        first = math.ceil(count * eta**s / (s + 1))
        yield [(first // eta**i, resources[count - 1 - s + i]) for i in range(s + 1)]


def resource_value(parameter: Parameter, amount: float) -> Value:
    """Return the value of the resource's parameter for an amount of it.

    A listed one takes its greatest entry that is not above, or else its least.
    """
    if parameter.kind is ParameterKind.INT:
        return int(amount + 1e-9)
    if parameter.is_numeric:
        return float(amount)
    entries = sorted(parameter.choices, key=float)
    below = [entry for entry in entries if float(entry) <= amount * (1 + 1e-9)]
    return below[-1] if below else entries[0]
