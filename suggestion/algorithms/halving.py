"""The fold of the multi-fidelity algorithms: configurations, and how far each is trained.

A trial carries its bracket and rung as labels, so that the log alone says what
the state is, also where it comes from Katib. A trial that is promoted repeats
its configuration with more of the resource, and names the trial it continues.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from ...api.history import (
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
)
from ...api.identity import trial_name
from ...api.problem import Problem
from ...api.space import Point, SearchSpace, Value
from ...api.states import TrialState
from ...api.words import counted
from ..algorithm import Fold
from ..history import loss_of
from .random import RandomFold
from .rungs import Rung

BRACKET, RUNG = "bracket", "rung"  # labels of a trial


class Slot(NamedTuple):
    """What a trial may do next: begin in a rung, or continue a trial of the rung below."""

    rung: Rung
    parent: int | None = None


class HalvingFold(Fold):
    """Fills rungs. Which slot is next is the algorithm's; configurations are drawn at random."""

    def __init__(self, problem: Problem, resource: str, brackets: list[list[Rung]]) -> None:
        self.problem = problem
        self._resource = resource
        self.brackets = brackets
        self.brackets_a_round = len(brackets)
        parameters = tuple(each for each in problem.space.parameters if each.name != resource)
        self.inner = replace(problem, space=SearchSpace(parameters, problem.space.conditions))
        self._samplers: dict[Value, RandomFold] = {}
        for rung in self._all():
            self.sampler(rung.resource)
        self.rung_of: dict[int, Rung] = {}
        self.parents: dict[int, int] = {}
        self._names: dict[int, str] = {}

    @abstractmethod
    def slots(self) -> Iterator[Slot]:
        """Yield what may be done next, best first; rungs are looked at while it is iterated."""

    def configuration(self, index: int, resource: Value) -> Proposal | None:
        """Return one that no trial has with this resource; None when there are no more."""
        return self.sampler(resource).unseen(index)

    def labelled(self, bracket: str, level: str) -> Rung | None:
        """Return the rung that a trial's labels name; None where they name none."""
        if not (bracket.isdecimal() and level.isdecimal()) or int(bracket) >= len(self.brackets):
            return None
        rungs = self.brackets[int(bracket)]
        return rungs[int(level)] if int(level) < len(rungs) else None

    # The log.

    def observe(self, entry: Entry) -> None:
        match entry:
            case Proposed():
                self._propose(entry)
            case Finished():
                self.finish(entry)
            case Dropped():
                self._drop(entry)

    def _propose(self, entry: Proposed) -> None:
        point, value = self._split(entry.proposal.point)
        self.sampler(value).observe(replace(entry, proposal=replace(entry.proposal, point=point)))
        labels = dict(entry.proposal.labels)
        rung = self.labelled(labels.get(BRACKET, ""), labels.get(RUNG, ""))
        if rung is None:
            return  # a person's trial: it is known, and takes no slot
        if entry.proposal.name is not None:
            self._names[entry.index] = entry.proposal.name
        parent = self._below(rung).trial_of(point) if rung.level else None
        self.enter(rung, entry.index, point, parent)

    def finish(self, entry: Finished) -> None:
        for sampler in self._samplers.values():
            if entry.index in sampler.pending:
                sampler.observe(entry)
        rung = self.rung_of.get(entry.index)
        if rung is not None and entry.index in rung.trials:
            loss = loss_of(entry, self.problem.objective)
            was_stopped = entry.state is TrialState.EARLY_STOPPED
            rung.end(entry.index, None if loss is None else (was_stopped, loss))

    def _drop(self, entry: Dropped) -> None:
        for sampler in self._samplers.values():
            sampler.observe(entry)
        self.leave(entry.index)

    def enter(self, rung: Rung, index: int, point: Point, parent: int | None) -> None:
        rung.enter(index, point)
        self.rung_of[index] = rung
        if parent is not None:
            self.parents[index] = parent
            self._below(rung).promote(parent)

    def leave(self, index: int) -> None:
        rung = self.rung_of.pop(index, None)
        if rung is None:
            return
        rung.leave(index)
        parent = self.parents.pop(index, None)
        if parent is not None and parent in self._below(rung).trials:
            self._below(rung).demote(parent)

    # The answer.

    def suggest(self, first_index: int, count: int) -> Suggestion:
        proposals: list[Proposal] = []
        taken: list[int] = []
        with ExitStack() as held:
            batches = {
                value: held.enter_context(sampler.batch())
                for value, sampler in self._samplers.items()
            }
            held.callback(self._take_back, taken)
            for index in range(first_index, first_index + count):
                found = self._next(index)
                if found is None:
                    break
                slot, proposal = found
                value = slot.rung.resource
                point, _ = self._split(proposal.point)
                self.sampler(value).add(index, point)
                batches[value].append(index)
                self.enter(slot.rung, index, point, slot.parent)
                taken.append(index)
                proposals.append(proposal)
            is_short = len(proposals) < count
            state, note = self._why_short() if is_short else (SearchState.MORE, "")
        return Suggestion(tuple(proposals), state, note)

    def _take_back(self, indexes: list[int]) -> None:
        """Undo what a batch entered into rungs: it is not in the log yet."""
        for index in reversed(indexes):
            self.leave(index)

    def _next(self, index: int) -> tuple[Slot, Proposal] | None:
        for slot in self.slots():
            proposal = self._proposal(slot, index)
            if proposal is not None:
                return slot, proposal
        return None

    def _proposal(self, slot: Slot, index: int) -> Proposal | None:
        """Return the point for a slot; None when no configuration is left for it."""
        rung = slot.rung
        labels = ((BRACKET, str(rung.bracket)), (RUNG, str(rung.level)))
        if slot.parent is None:
            drawn = self.configuration(index, rung.resource)
            if drawn is None:
                return None
            return Proposal(self._joined(drawn.point, rung.resource), labels=labels)
        parent = self._name(slot.parent)
        point = self._joined(self._below(rung).trials[slot.parent], rung.resource)
        return Proposal(point, f"promoted from {parent}", labels, parent)

    def _why_short(self) -> tuple[SearchState, str]:
        """Say why no slot is free: some trials have to end first, or all is done."""
        waits = next((each for each in self._all() if not each.is_over), None)
        if waits is None:
            return SearchState.EXHAUSTED, "every bracket has been run to its end"
        running = len(waits.trials) - len(waits.scores)
        trials = counted(running, "running trial")
        note = f"bracket {waits.bracket}, rung {waits.level} waits for {trials}"
        return SearchState.WAIT, note

    # Points.

    def sampler(self, value: Value) -> RandomFold:
        """Return what draws configurations for a value of the resource, none of them twice."""
        if value not in self._samplers:
            self._samplers[value] = RandomFold(self.inner)
        return self._samplers[value]

    def _split(self, point: Point) -> tuple[Point, Value]:
        rest = {name: value for name, value in point.items() if name != self._resource}
        return rest, point[self._resource]

    def _joined(self, point: Point, value: Value) -> Point:
        return {
            name: value if name == self._resource else point[name]
            for name in self.problem.space.by_name
            if name == self._resource or name in point
        }

    def _name(self, index: int) -> str:
        named = self._names.get(index)
        return named or trial_name(self.problem.experiment, self.problem.uid, index)

    def _below(self, rung: Rung) -> Rung:
        return self.brackets[rung.bracket][rung.level - 1]

    def _all(self) -> Iterator[Rung]:
        return (rung for bracket in self.brackets for rung in bracket)
