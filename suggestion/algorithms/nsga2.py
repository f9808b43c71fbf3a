"""NSGA-II (Deb et al. 2002, IEEE TEC 6(2)): what it can be told, and its fold.

Two parents are crossed by simulated binary crossover and the child is mutated by
the polynomial one (Deb and Agrawal 1995), both in the unit cube. A generation is a
function of the log: trials gather in the order in which they ended, and when there are
two populations of them the better one survives. Parents are the best of all that
has gathered, so that no slot waits for a generation to be complete.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...api.history import Finished, Proposal, Verdict
from ...api.pareto import Losses, ranks
from ...api.problem import Problem
from ...api.space import Point
from ..algorithm import Algorithm, Capabilities, Fold
from ..cube import Axis
from ..history import PointFold, losses_of
from ..seeds import generator
from ..settings import number, random_state, setting_values

_CROSSOVER = 0.9
"""The probability that parents are crossed at all."""
_SPREAD = 15.0
"""The distribution index of crossover and mutation: the greater, the nearer are children."""


class Nsga2(Algorithm):
    name = "nsga2"
    description = "crosses and mutates the best trade-offs of several objectives"
    settings = (
        number(
            "population_size",
            int,
            "20",
            "≥ 2",
            message="population_size must be 2 or more.",
            description="trials that survive a generation; as many are random at first",
        ),
        random_state(),
    )
    capabilities = Capabilities(conditions=True, objectives=True)

    def start(self, problem: Problem) -> Fold:
        values = setting_values(self.settings, problem.settings)
        return Nsga2Fold(problem, int(values["population_size"]))


@dataclass(frozen=True, slots=True)
class Individual:
    """A trial that has a value of every objective, as a point of the unit cube."""

    index: int
    units: tuple[float, ...]
    losses: Losses


class Nsga2Fold(PointFold):
    """`ended` counts what ended well or badly; `everyone` is kept for when a trial is dropped."""

    def __init__(self, problem: Problem, size: int) -> None:
        super().__init__(problem)
        self._size = size
        self._ended: set[int] = set()
        self._everyone: dict[int, Individual] = {}
        self._gathered: list[Individual] = []
        self._parents: Sequence[Individual] | None = None

    def observed(self, entry: Finished, point: Point) -> None:
        if entry.verdict is Verdict.NOTHING:
            return
        self._ended.add(entry.index)
        losses = losses_of(entry, self.problem.objective)
        if losses is not None:
            units = tuple(self.cube.units(point))
            self._everyone[entry.index] = Individual(entry.index, units, losses)
            self._gather(self._everyone[entry.index])

    def forgotten(self, index: int) -> None:
        """Live through the generations again as if the trial had not been."""
        self._ended.discard(index)
        if self._everyone.pop(index, None) is not None:
            self._gathered = []
            self._parents = None
            for individual in self._everyone.values():
                self._gather(individual)

    def _gather(self, individual: Individual) -> None:
        self._gathered.append(individual)
        self._parents = None
        if len(self._gathered) >= 2 * self._size:
            self._gathered = list(survivors(self._gathered, self._size))

    @property
    def parents(self) -> Sequence[Individual]:
        """The best of what has gathered, the very best first."""
        if self._parents is None:
            self._parents = survivors(self._gathered, self._size)
        return self._parents

    def draw(self, index: int, retry: int) -> Proposal:
        if len(self._ended) < self._size or len(self.parents) < 2:
            return Proposal(self.random_point(index, retry))
        chance = generator(self.seed, index, retry)
        one, other = (_tournament(chance, self.parents) for _ in range(2))
        crossed = _crossed(chance, self.cube.axes, one.units, other.units)
        units = _mutated(chance, self.cube.axes, crossed)
        return Proposal(self.cube.point(units))


def survivors(individuals: Sequence[Individual], size: int) -> Sequence[Individual]:
    """Return the best, by the front that they belong to, then by the room around them."""
    losses = [individual.losses for individual in individuals]
    rank = ranks(losses)
    room = [0.0] * len(individuals)
    for level in set(rank):
        members = [place for place in range(len(individuals)) if rank[place] == level]
        rooms = crowding([losses[place] for place in members])
        for place, distance in zip(members, rooms, strict=True):
            room[place] = distance
    order = sorted(range(len(individuals)), key=lambda place: (rank[place], -room[place], place))
    return [individuals[place] for place in order[:size]]


def crowding(losses: Sequence[Losses]) -> list[float]:
    """Return the room around each member of a front; infinite at its ends.

    Each objective adds the distance between the neighbours, as a part of the range of
    the front. Where that is not finite, neighbours have all the room there is.
    """
    room = [0.0] * len(losses)
    for objective in range(len(losses[0]) if losses else 0):
        order = sorted(range(len(losses)), key=lambda place: losses[place][objective])
        column = [losses[place][objective] for place in order]
        room[order[0]] = room[order[-1]] = math.inf
        span = column[-1] - column[0]
        if not span > 0:
            continue
        for middle in range(1, len(order) - 1):
            gap = column[middle + 1] - column[middle - 1]
            room[order[middle]] += gap / span if math.isfinite(span) else float(gap > 0)
    return room


def _tournament(chance: random.Random, parents: Sequence[Individual]) -> Individual:
    """Return the better of two: parents come in their order."""
    return parents[min(chance.randrange(len(parents)), chance.randrange(len(parents)))]


def _crossed(
    chance: random.Random, axes: Sequence[Axis], one: Sequence[float], other: Sequence[float]
) -> list[float]:
    """Return a child: between or just beyond its parents on an ordered axis, like one on others."""
    if chance.random() >= _CROSSOVER:
        return list(one)
    return [
        _binary(chance, mine, its) if axis.is_ordered else chance.choice((mine, its))
        for axis, mine, its in zip(axes, one, other, strict=True)
    ]


def _binary(chance: random.Random, mine: float, its: float) -> float:
    """Simulated binary crossover on half of the axes; on the others the child is like one."""
    if chance.random() < 0.5:
        return mine
    draw = chance.random()
    power = 1 / (_SPREAD + 1)
    spread = (2 * draw) ** power if draw <= 0.5 else (1 / (2 * (1 - draw))) ** power
    sign = chance.choice((-1, 1))
    return _within(0.5 * (mine + its) + sign * 0.5 * spread * (mine - its))


def _mutated(chance: random.Random, axes: Sequence[Axis], units: Sequence[float]) -> list[float]:
    """Change one axis on average: a little where it is ordered, to any choice where it is not."""
    return [
        unit
        if chance.random() >= 1 / len(axes)
        else _polynomial(chance, unit)
        if axis.is_ordered
        else chance.random()
        for axis, unit in zip(axes, units, strict=True)
    ]


def _polynomial(chance: random.Random, unit: float) -> float:
    draw = chance.random()
    power = 1 / (_SPREAD + 1)
    if draw < 0.5:
        low = (2 * draw + (1 - 2 * draw) * (1 - unit) ** (_SPREAD + 1)) ** power - 1
        return _within(unit + low)
    high = 1 - (2 * (1 - draw) + 2 * (draw - 0.5) * unit ** (_SPREAD + 1)) ** power
    return _within(unit + high)


def _within(unit: float) -> float:
    return min(max(unit, 0.0), 1.0)
