"""Population based training as a fold: generations of a fixed number of members.

A member of generation g + 1 continues a trial of generation g. When every trial
of a generation has ended they are ranked: the worst share goes on from the
checkpoint and the parameters of one of the best (exploit), the rest from their
own; the parameters are then changed (explore). A trial that failed or whose
value is NaN ranks last; one that was killed, lost or left no metric is neither
good nor bad: its member tries the same once more in the next generation.

A trial carries its generation, its member and its parent as labels, so that the
log alone says what the state is, also where it comes from Katib.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...api.history import (
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
    Verdict,
)
from ...api.identity import trial_name
from ...api.lineage import GENERATION, MEMBER, PARENT
from ...api.problem import Problem
from ...api.space import Point
from ..algorithm import Fold, seed_of
from ..cube import Cube
from ..history import is_observed
from ..seeds import derive, generator
from .pbt import POPULATION, RESAMPLE, TRUNCATION
from .pbt_steps import explored

_RETRIES = 16
_FIRST, _WINNER, _CHANGE = 1, 2, 3  # the paths of draws


@dataclass(slots=True)
class _Trial:
    """A trial of the population. `loss` is infinite of a bad one, None of one that told nothing."""

    name: str
    proposal: Proposal
    is_over: bool = False
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class _Below:
    """A generation that is over: its trials by member, and as many of its best as of its worst."""

    trials: Mapping[int, _Trial]
    winners: Sequence[_Trial]
    losers: Sequence[_Trial]


class PbtFold(Fold):
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._seed = seed_of(problem)
        self._cube = Cube(problem.space)
        given = problem.settings
        self._size = int(given[POPULATION])
        share = float(given[TRUNCATION])
        self._truncated = max(1, round(share * self._size)) if share else 0
        self._resample = float(given[RESAMPLE]) if given.get(RESAMPLE) else None
        self._generations: defaultdict[int, dict[int, _Trial]] = defaultdict(dict)
        self._places: dict[int, tuple[int, int]] = {}  # generation and member of each trial

    # The log.

    def observe(self, entry: Entry) -> None:
        match entry:
            case Proposed():
                self._propose(entry)
            case Finished():
                self._finish(entry)
            case Dropped():
                self._drop(entry.index)

    def _propose(self, entry: Proposed) -> None:
        place = _place(dict(entry.proposal.labels), self._size)
        if place is None:
            return  # a person's trial: it is no member
        experiment, uid = self._problem.experiment, self._problem.uid
        name = entry.proposal.name or trial_name(experiment, uid, entry.index)
        generation, member = place
        self._places[entry.index] = place
        self._generations[generation][member] = _Trial(name, entry.proposal)

    def _finish(self, entry: Finished) -> None:
        place = self._places.get(entry.index)
        if place is None:
            return
        trial = self._generations[place[0]][place[1]]
        trial.is_over = True
        if is_observed(entry) and entry.value is not None:
            trial.loss = self._problem.objective.loss(entry.value)
        elif entry.verdict is Verdict.BAD:
            trial.loss = math.inf

    def _drop(self, index: int) -> None:
        generation, member = self._places.pop(index, (-1, -1))
        self._generations.get(generation, {}).pop(member, None)

    # The answer.

    def suggest(self, first_index: int, count: int) -> Suggestion:
        generation = self._open()
        below = self._below(generation)
        taken = self._generations.get(generation, {})
        used = {self._cube.key(trial.proposal.point) for trial in taken.values()}
        proposals: list[Proposal] = []
        for member in range(self._size):
            if member in taken or len(proposals) == count:
                continue
            index = first_index + len(proposals)
            place = (generation, member)
            for retry in range(_RETRIES):  # members of one generation differ where they can
                proposal = (
                    self._next(place, below, retry)
                    if generation
                    else (self._first(place, 0, index, retry))
                )
                key = self._cube.key(proposal.point)
                if key not in used:
                    break
            used.add(key)
            proposals.append(proposal)
        if len(proposals) == count:
            return Suggestion(tuple(proposals))
        running = len(proposals) + sum(not trial.is_over for trial in taken.values())
        note = f"generation {generation}: {running} of {self._size} trials still run"
        return Suggestion(tuple(proposals), SearchState.WAIT, note)

    def _below(self, generation: int) -> _Below:
        trials = self._generations.get(generation - 1, {})
        ranked = _ranked(trials)
        count = min(self._truncated, len(ranked) // 2)
        return _Below(trials, ranked[:count], ranked[len(ranked) - count :])

    def _open(self) -> int:
        """Return the generation that is being filled, or run: the last, or the one behind it."""
        last = max((each for each, trials in self._generations.items() if trials), default=0)
        trials = self._generations.get(last, {})
        is_whole = len(trials) == self._size
        return last + (is_whole and all(trial.is_over for trial in trials.values()))

    def _first(self, place: tuple[int, int], *path: int) -> Proposal:
        """Draw a member without a past."""
        chance = generator(self._seed, _FIRST, *path)
        point = self._cube.point([chance.random() for _axis in self._cube.axes])
        return Proposal(point, labels=_labels(*place))

    def _next(self, place: tuple[int, int], below: _Below, retry: int) -> Proposal:
        generation, member = place
        own = below.trials.get(member)
        if own is None:
            return self._first(place, generation, member, retry)
        if own.loss is None:
            return _again(place, own)
        source, what = own, "continues"
        if below.winners and (own.loss == math.inf or any(own is each for each in below.losers)):
            chance = generator(derive(self._seed, _WINNER), generation, member)
            winner = below.winners[chance.randrange(len(below.winners))]
            source, what = winner, f"{own.name} goes on from"
        if source.loss == math.inf:
            return _again(place, own)
        chance = generator(derive(self._seed, _CHANGE), generation, member, retry)
        labels = (*_labels(generation, member), (PARENT, source.name))
        point = self._explored(source.proposal.point, chance)
        return Proposal(point, f"{what} {source.name}", labels, source.name)

    def _explored(self, point: Point, chance: random.Random) -> Point:
        return {
            axis.parameter.name: explored(axis, point[axis.parameter.name], self._resample, chance)
            for axis in self._cube.axes
        }


def _again(place: tuple[int, int], own: _Trial) -> Proposal:
    """Try the same once more, from where it began: it left nothing to go on from."""
    parent = own.proposal.parent or dict(own.proposal.labels).get(PARENT)
    known = () if parent is None else ((PARENT, parent),)
    labels = (*_labels(*place), *known)
    return Proposal(own.proposal.point, f"{own.name} once more", labels, parent)


def _place(labels: Mapping[str, str], size: int) -> tuple[int, int] | None:
    generation, member = labels.get(GENERATION, ""), labels.get(MEMBER, "")
    if not (generation.isdecimal() and member.isdecimal() and int(member) < size):
        return None
    return int(generation), int(member)


def _labels(generation: int, member: int) -> tuple[tuple[str, str], ...]:
    return ((GENERATION, str(generation)), (MEMBER, str(member)))


def _ranked(trials: Mapping[int, _Trial]) -> list[_Trial]:
    """Return those that tell something, the best first; of equals the one of the lower member."""
    known = [trial for _member, trial in sorted(trials.items()) if trial.loss is not None]
    return sorted(known, key=lambda trial: trial.loss or 0.0)
