"""Population based training as a fold: generations of a fixed number of members.

A member of generation g + 1 continues a trial of generation g. When every trial
of a generation has ended they are ranked: the worst share goes on from the
checkpoint and the parameters of one of the best (exploit), the rest from their
own; the parameters are then changed (explore). A trial that failed or whose
value is NaN ranks last; one that was killed, lost or left no metric is neither
good nor bad: its member tries the same once more in the next generation.

Who asks by Katib's protocol takes all points or none, and would wait for ever for the
rest of a generation: there members begin the next one early, as soon as their own trial
is over, ranked among those that are.

A trial carries its generation, its member and its parent as labels, so that the
log alone says what the state is, also where it comes from Katib.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

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
from ..history import loss_of
from ..seeds import derive, generator
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
    """Of a population of `size`, the `share` that did worst go on from as many of the best.

    `resample` is how often a parameter is drawn anew; None perturbs each.
    """

    def __init__(
        self, problem: Problem, *, size: int, share: float, resample: float | None
    ) -> None:
        self._problem = problem
        self._seed = seed_of(problem)
        self._cube = Cube(problem.space)
        self._size = size
        self._truncated = max(1, round(share * self._size)) if share else 0
        self._resample = resample
        self._generations: defaultdict[int, dict[int, _Trial]] = defaultdict(dict)
        self._dropped: defaultdict[int, set[int]] = defaultdict(set)
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
        trial.loss = loss_of(entry, self._problem.objective)
        if entry.verdict is Verdict.BAD:
            trial.loss = math.inf

    def _drop(self, index: int) -> None:
        generation, member = self._places.pop(index, (-1, -1))
        if self._generations.get(generation, {}).pop(member, None) is not None:
            self._dropped[generation].add(member)

    # The answer.

    def suggest(self, first_index: int, count: int) -> Suggestion:
        generation = self._open()
        taken = self._generations.get(generation, {})
        missing = [member for member in range(self._size) if member not in taken]
        places = [(generation, member) for member in missing[:count]]
        if self._problem.all_or_none:
            places += self._early(generation, count - len(places))
        used = {self._cube.key(trial.proposal.point) for trial in taken.values()}
        proposals: list[Proposal] = []
        for place in places:
            proposals.append(self._distinct(place, first_index + len(proposals), used))
        if self._problem.all_or_none:
            proposals += self._strangers(first_index + len(proposals), count - len(proposals))
        if len(proposals) == count:
            return Suggestion(tuple(proposals))
        running = len(proposals) + sum(not trial.is_over for trial in taken.values())
        note = f"generation {generation} waits for {running} of its {self._size} trials"
        return Suggestion(tuple(proposals), SearchState.WAIT, note)

    def _distinct(self, place: tuple[int, int], index: int, used: set[int]) -> Proposal:
        """Return the trial for a place; members of one generation differ where they can."""
        generation = place[0]
        below = self._below(generation)
        for retry in range(_RETRIES):
            proposal = (
                self._next(place, below, retry)
                if generation
                else self._first(place, 0, index, retry)
            )
            key = self._cube.key(proposal.point)
            if key not in used:
                break
        used.add(key)
        return proposal

    def _early(self, generation: int, count: int) -> list[tuple[int, int]]:
        """Return places of the next generation, for members whose trial in this one is over.

        Who takes all or none would wait for ever for what a generation lacks.
        """
        over = self._generations.get(generation, {})
        begun = self._generations.get(generation + 1, {})
        free = (m for m, trial in sorted(over.items()) if trial.is_over and m not in begun)
        return [(generation + 1, member) for member in islice(free, max(count, 0))]

    def _strangers(self, first_index: int, count: int) -> list[Proposal]:
        """Return points of no member, where there are more slots than members."""
        reason = f"all {self._size} members are running"
        return [
            Proposal(self._drawn(0, first_index + offset, 0), reason) for offset in range(count)
        ]

    def _below(self, generation: int) -> _Below:
        trials = self._generations.get(generation - 1, {})
        ranked = _ranked(trials)
        count = min(self._truncated, len(ranked) // 2)
        return _Below(trials, ranked[:count], ranked[len(ranked) - count :])

    def _open(self) -> int:
        """Return the generation that is being filled, or run: the first that is not over.

        Members may have begun the one behind it.
        """
        last = max((each for each, trials in self._generations.items() if trials), default=0)
        return next(each for each in (last - 1, last, last + 1) if not self._is_over(each))

    def _is_over(self, generation: int) -> bool:
        """Say whether all members have been there; one that was dropped later was."""
        if generation < 0:
            return True
        trials = self._generations.get(generation, {})
        gone = self._dropped.get(generation, set()) if generation + 1 in self._generations else ()
        is_whole = len({*trials, *gone}) == self._size
        return is_whole and all(trial.is_over for trial in trials.values())

    def _first(self, place: tuple[int, int], *path: int) -> Proposal:
        """Draw a member without a past."""
        return Proposal(self._drawn(*path), labels=_labels(*place))

    def _drawn(self, *path: int) -> Point:
        return self._cube.draw(generator(self._seed, _FIRST, *path))

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
