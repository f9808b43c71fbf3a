"""Asking a plug-in of Katib's, which remembers what it proposed, and may forget it.

Katib's protocol has no word for a restart, and its services bear one badly:
some fail for ever once they are shown a trial that they did not propose, or
propose their first points again. So what answers over one connection is taken
for one incarnation of the plug-in. It is shown what it proposed itself and
nothing else; what those before it proposed is forgotten, which the answer
says. One that fails on what it is shown is taken for a new incarnation, once.
Points that were tried before are dropped, and others asked for.

A plug-in that rebuilds itself from each request may be declared stateless; it
is shown the whole log.

Katib starts whatever a plug-in answers, and its own leave ranges and steps: pbt by
its factors, hyperopt by rounding and by its normal distributions, skopt by knowing
no steps. The nearest point of the search space is taken, and shown to it later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, cast

import grpc
import grpc.aio

from ..api.errors import Fault, PluginBroken, Unsupported
from ..api.history import (
    GIVEN,
    Dropped,
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
)
from ..api.identity import LONGEST_TRIAL_NAME
from ..api.problem import Problem
from ..api.space import Point, Value
from ..api.words import counted
from ..proto import api_pb2, api_pb2_grpc, convert_katib
from ..proto.convert_katib import Answer
from .cube import Cube
from .endpoint import AWAY, readable

if TYPE_CHECKING:
    from ..proto.api_pb2_grpc import SuggestionAsyncStub as Stub

_NOT_ITS_FAULT = AWAY | {grpc.StatusCode.INVALID_ARGUMENT}
"""Failures that do not come from the trials that a plug-in is shown."""

_Words: TypeAlias = dict[frozenset[tuple[str, Value]], Answer]


@dataclass(slots=True)
class _Incarnation:
    """A life of the plug-in, from a position of the log on.

    `settings` are those that it returned; `forgotten` counts the trials of
    those before it, until that has been told. `said` has its points in its own
    words, by which some services know a trial again: 0.30000000000000004 is 0.3 here,
    and a name that is too long for a cluster is another.
    """

    connection: grpc.aio.Channel
    born: int
    forgotten: int
    settings: dict[str, str] = field(default_factory=dict)
    said: _Words = field(default_factory=dict)

    def words(self, proposal: Proposal) -> Answer:
        known = self.said.get(frozenset(proposal.point.items()))
        return convert_katib.answer_to_katib(proposal) if known is None else known


class KatibPlugin:
    """Asks one experiment's plug-in. `endpoint` is what it is called in messages.

    `exact`: a point beside the search space breaks its contract.
    """

    def __init__(self, endpoint: str, *, timeout: float, stateless: bool, exact: bool) -> None:
        self._endpoint = endpoint
        self._timeout = timeout  # in seconds, for one call
        self._stateless = stateless
        self._exact = exact
        self._incarnation: _Incarnation | None = None

    async def suggest(
        self, connection: grpc.aio.Channel, problem: Problem, log: Sequence[Entry], count: int
    ) -> Suggestion:
        """Ask for up to `count` points, made from this log.

        Raises:
            AioRpcError: the call failed.
            PluginBroken: it answered what it may not.
            Unsupported: the experiment needs what the protocol cannot carry.
        """
        beyond = beyond_katib(problem)
        if beyond:
            raise Unsupported("; ".join(map(str, beyond)))
        known = self._incarnation
        if known is None or known.connection is not connection:
            known = self._begin(connection, log)
        try:
            answer = await self._ask(known, problem, log, count)
        except grpc.aio.AioRpcError as error:
            if error.code() in _NOT_ITS_FAULT or not self._shown(known, log):
                raise
            known = self._begin(connection, log)
            answer = await self._ask(known, problem, log, count)
        told, known.forgotten = known.forgotten, 0
        return replace(answer, forgotten=told)

    async def validate(self, connection: grpc.aio.Channel, problem: Problem) -> Sequence[Fault]:
        """Return what the protocol cannot carry; otherwise ask the plug-in, whose error says it.

        Raises:
            AioRpcError: the plug-in refuses the problem, or the call failed.
        """
        beyond = beyond_katib(problem)
        if not beyond:
            experiment = convert_katib.experiment_to_katib(problem, {})
            request = api_pb2.ValidateAlgorithmSettingsRequest(experiment=experiment)
            await _stub(connection).ValidateAlgorithmSettings(request, timeout=self._timeout)
        return beyond

    def _begin(self, connection: grpc.aio.Channel, log: Sequence[Entry]) -> _Incarnation:
        forgotten = 0 if self._stateless else len(set(_own(log)) - _dropped(log))
        born = 0 if self._stateless or not log else log[-1].position
        self._incarnation = _Incarnation(connection, born, forgotten)
        return self._incarnation

    def _shown(self, known: _Incarnation, log: Sequence[Entry]) -> Sequence[Entry]:
        """Return the log of what this incarnation proposed, without persons' points."""
        own = set(_own(entry for entry in log if entry.position > known.born))
        return [entry for entry in log if entry.index in own]

    async def _ask(
        self, known: _Incarnation, problem: Problem, log: Sequence[Entry], count: int
    ) -> Suggestion:
        """Ask until there are enough points, the plug-in has no more, or it repeats its answer.

        One that has fewer than it is asked for may say that it has none: the last
        ones are asked for singly.
        """
        before = [entry for entry in log if isinstance(entry, Proposed)]
        kept = _Kept(problem, before, known.said)
        asked, most, answered = len(before), count, -1
        while len(kept.proposals) < count and kept.answered > answered:
            wanted = min(most, count - len(kept.proposals))
            try:
                points = await self._call(known, problem, log, wanted, asked + wanted)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                    raise
                if wanted > 1:
                    most = 1
                    continue
                state = SearchState.MORE if kept.proposals else SearchState.EXHAUSTED
                return kept.suggestion(state, error.details() or "")
            asked, answered = asked + wanted, kept.answered
            kept.add(points[:wanted], self._endpoint, exact=self._exact)
            if len(points) < wanted:
                break
        if len(kept.proposals) == count:
            return kept.suggestion(SearchState.MORE)
        ended = sum(isinstance(entry, Finished) for entry in log)
        if not kept.proposals and ended == len(before):  # nothing runs that could end the waiting
            return kept.suggestion(SearchState.EXHAUSTED, "it has no more points")
        return kept.suggestion(SearchState.WAIT)

    async def _call(
        self,
        known: _Incarnation,
        problem: Problem,
        log: Sequence[Entry],
        count: int,
        total: int,
    ) -> Sequence[api_pb2.GetSuggestionsReply.ParameterAssignments]:
        reply = await _stub(known.connection).GetSuggestions(
            api_pb2.GetSuggestionsRequest(
                experiment=convert_katib.experiment_to_katib(problem, known.settings),
                trials=convert_katib.trials_to_katib(
                    problem, self._shown(known, log), {}, known.words
                ),
                current_request_number=count,
                total_request_number=total,
            ),
            timeout=self._timeout,
        )
        reply = readable(reply, self._endpoint)
        for setting in reply.algorithm.algorithm_settings:
            known.settings[setting.name] = setting.value
        return reply.parameter_assignments


class _Kept:
    """The points of an answer that are new."""

    def __init__(self, problem: Problem, before: Sequence[Proposed], said: _Words) -> None:
        self._problem = problem
        self._said = said
        self._cube = Cube(problem.space)
        self._seen = {self._key(entry.proposal.point) for entry in before}
        self._names = {entry.proposal.name or "" for entry in before}
        self._answered: set[int] = set()
        self.proposals: list[Proposal] = []
        self.repeated = 0
        self.moved = 0

    @property
    def answered(self) -> int:
        """How many different points were answered, new or not."""
        return len(self._answered)

    def add(self, points: Sequence[Answer], who: str, *, exact: bool) -> None:
        for wire in points:
            try:
                proposal, words = self._read(wire, exact=exact)
            except ValueError as error:
                raise PluginBroken(f"{who} answered a wrong point: {error}") from error
            self._take(proposal, words)

    def _read(self, wire: Answer, *, exact: bool) -> tuple[Proposal, Answer]:
        """Return a point, and the words in which it is shown later: moved, where it had to be.

        Raises:
            ValueError: it is no point of the search space, or `exact` and none as it is.
        """
        try:
            return convert_katib.proposal_from_katib(self._problem, wire), wire
        except ValueError:
            if exact:
                raise
        proposal = convert_katib.proposal_from_katib(self._problem, wire, nearest=True)
        self.moved += 1
        ours = convert_katib.answer_to_katib(proposal)
        return proposal, Answer(
            assignments=ours.assignments, trial_name=wire.trial_name, labels=wire.labels
        )

    def _take(self, proposal: Proposal, words: Answer) -> None:
        key = self._key(proposal.point)
        self._answered.add(key)
        if key in self._seen:
            self.repeated += 1
            return
        self._seen.add(key)
        name = proposal.name or ""
        # Those of Katib's pbt are longer; an incarnation before it may have given its names.
        if len(name) > LONGEST_TRIAL_NAME or name in self._names:
            proposal = replace(proposal, name=None)
        self._names.add(name)
        self._said[frozenset(proposal.point.items())] = words
        self.proposals.append(proposal)

    def _key(self, point: Point) -> int:
        if self._problem.architecture is not None:
            return hash(frozenset(point.items()))
        return self._cube.key(point)

    def suggestion(self, state: SearchState, note: str = "") -> Suggestion:
        told = [note] if note and not self.repeated else []
        if self.moved:
            told.append(
                f"moved {counted(self.moved, 'point')} from outside the search space into it"
            )
        if self.repeated:
            told.append(f"dropped {counted(self.repeated, 'point')} tried before")
        return Suggestion(tuple(self.proposals), state, "; ".join(told))


def _stub(connection: grpc.aio.Channel) -> "Stub":
    return cast("Stub", api_pb2_grpc.SuggestionStub(connection))


def _own(log: Iterable[Entry]) -> Iterator[int]:
    """Yield the trials whose points a plug-in made."""
    for entry in log:
        if isinstance(entry, Proposed) and entry.proposal.reason not in GIVEN:
            yield entry.index


def _dropped(log: Sequence[Entry]) -> set[int]:
    return {entry.index for entry in log if isinstance(entry, Dropped)}


def beyond_katib(problem: Problem) -> Sequence[Fault]:
    """Return a fault for each field of the experiment that the protocol cannot carry."""
    asked = {
        "spec.parameterConditions": problem.space.conditions,
        "spec.objectives": problem.objective.further,
        "spec.constraints": problem.objective.constraints,
    }
    message, remedy = "cannot be carried by api.v1.beta1", "use a plug-in that speaks tunewright.v1"
    return [
        Fault(path, message, remedy, "NotSupported") for path, written in asked.items() if written
    ]
