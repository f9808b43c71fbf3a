"""Asking a service at an endpoint, over tunewright.v1 or Katib's api.v1.beta1.

Which of the two it speaks is found at the first call. A tunewright.v1 service
is stateless, and is sent what is behind its position; a plug-in of Katib's is
`katib_client`'s subject.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import grpc
import grpc.aio

from ..api.errors import Fault, Invalid, PluginBroken, PluginUnavailable, TunewrightError
from ..api.history import Entry, Proposal, Proposed, Suggestion
from ..api.identity import is_trial_name
from ..api.problem import ANSWER_SECONDS, Problem
from ..proto import convert, tunewright_pb2, tunewright_pb2_grpc
from .endpoint import AWAY, Endpoint, readable
from .inline import History
from .katib_client import KatibPlugin
from .session import check, plain, searched

if TYPE_CHECKING:
    from ..proto.tunewright_pb2_grpc import SuggestionAsyncStub as Stub

REPEATS = "it repeats points that were tried before, and gives no reason"
_READY = grpc.ChannelConnectivity.READY


class RemoteSuggester:
    """Asks one experiment's algorithm at an endpoint.

    `timeout` is seconds for one call; `authority` the PEM of who signed the service's
    certificate; `speaks_v1` settles the protocol, which is found out otherwise. `exact`: a
    point of Katib's protocol beside the search space is refused, as those of ours are.
    """

    def __init__(
        self,
        endpoint: str,
        history: History,
        *,
        timeout: float = ANSWER_SECONDS,  # it is gRPC's deadline
        authority: bytes | None = None,
        speaks_v1: bool | None = None,
        exact: bool = False,
    ) -> None:
        self._place = Endpoint.of(endpoint)
        self._endpoint = str(self._place)
        self._history = history
        self._timeout = timeout
        self._authority = authority
        self._channel: grpc.aio.Channel | None = None
        self._speaks_v1 = speaks_v1
        self._problem: Problem | None = None
        self._position = 0
        self._entries: list[Entry] = []
        self._names: set[str] = set()
        self._tried: set[int] = set()
        self._plugin = KatibPlugin(
            self._endpoint, timeout=timeout, stateless=self._place.stateless, exact=exact
        )

    async def suggest(
        self, problem: Problem, first_index: int, count: int, *, position: int
    ) -> Suggestion:
        """Ask for up to `count` points, made from the log up to `position` and no further.

        Raises:
            PluginUnavailable: the service is away, or took too long.
            PluginBroken: it answered what it may not.
            Invalid: it refuses the problem.
            Unsupported: the experiment needs what the service's protocol cannot carry.
        """
        if count <= 0:
            return Suggestion(())
        channel = await self._open()
        try:
            if await self._finds_v1(channel):
                suggestion = await self._suggest_v1(channel, problem, first_index, count, position)
            else:
                after = self._entries[-1].position if self._entries else 0
                self._entries += await self._read(after, position)
                suggestion = await self._plugin.suggest(channel, problem, self._entries, count)
        except grpc.aio.AioRpcError as error:
            raise self._ours(error) from error
        check(problem, suggestion, count, self._endpoint)
        _check_names(suggestion, self._endpoint)
        return suggestion

    async def validate(self, problem: Problem) -> Sequence[Fault]:
        """Ask the service what is wrong with a problem."""
        channel = await self._open()
        try:
            if not await self._finds_v1(channel):
                return await self._plugin.validate(channel, problem)
            request = tunewright_pb2.ValidateRequest(problem=convert.problem_to_wire(problem))
            await _v1(channel).Validate(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return ()
            ours = self._ours(error)
            if isinstance(ours, Invalid):
                return ours.faults
            raise ours from error
        return ()

    async def describe(self) -> Sequence[tunewright_pb2.Algorithm]:
        """Return what the service says of its algorithms: nothing, where it is Katib's.

        Raises:
            PluginUnavailable: it is away.
        """
        channel = await self._open()
        try:
            if not await self._finds_v1(channel):
                return ()
            request = tunewright_pb2.DescribeRequest()
            reply = await _v1(channel).Describe(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise self._ours(error) from error
        return readable(reply, self._endpoint).algorithms

    async def finds_v1(self) -> bool:
        """Say whether the service speaks tunewright.v1.

        Raises:
            PluginUnavailable: it is away.
        """
        try:
            return await self._finds_v1(await self._open())
        except grpc.aio.AioRpcError as error:
            raise self._ours(error) from error

    async def forget(self) -> None:
        """Send everything at the next question."""
        self._problem, self._entries, self._names, self._tried = None, [], set(), set()

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    async def _open(self) -> grpc.aio.Channel:
        """Return the connection, a new one where the last was lost.

        gRPC would connect again by itself, and nobody would notice that another process may
        answer now, which knows nothing of what the one before was told.
        """
        if self._channel is not None and self._channel.get_state() is not _READY:
            await self.close()
        if self._channel is None:
            self._channel = self._place.service(self._authority).aio_channel()
        return self._channel

    async def _finds_v1(self, channel: grpc.aio.Channel) -> bool:
        """Find out, once, whether it speaks tunewright.v1."""
        if self._speaks_v1 is None:
            stub = _v1(channel)
            try:
                await stub.Describe(tunewright_pb2.DescribeRequest(), timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
                self._speaks_v1 = False
            else:
                self._speaks_v1 = True
        return self._speaks_v1

    async def _read(self, after: int, position: int) -> list[Entry]:
        found: list[Entry] = []
        while after < position:
            entries = await asyncio.to_thread(self._history, after)
            if not entries:
                break
            found += [entry for entry in entries if entry.position <= position]
            after = entries[-1].position
        return found

    async def _suggest_v1(
        self, channel: grpc.aio.Channel, problem: Problem, first: int, count: int, position: int
    ) -> Suggestion:
        stub = _v1(channel)
        if searched(problem) != self._problem or self._position > position:
            self._position = 0
        after = self._position
        for start in (after, 0):
            entries = await self._read(start, position)
            request = convert.suggest_request(problem, start, entries, first, count)
            try:
                reply = await stub.Suggest(request, timeout=self._timeout)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION and start > 0:
                    continue  # it was restarted, or forgot: send all
                raise
            reply = readable(reply, self._endpoint)
            self._problem, self._position = searched(problem), reply.position
            self._learn(entries)
            answer = plain(problem, convert.suggestion_from_wire(reply))
            return _with_repeats_noted(_once_named(answer, self._names), self._tried)
        raise PluginBroken(f"{self._endpoint} does not take the log from its start")

    def _ours(self, error: grpc.aio.AioRpcError) -> TunewrightError:
        """Return what a gRPC error means here."""
        code = error.code()
        details = error.details() or code.name
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            return Invalid([Fault("spec.algorithm", line) for line in details.splitlines()])
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            allows_more = "spec.algorithm.timeoutSeconds allows more"
            details = f"no answer within {self._timeout:g} s ({allows_more})"
        if code in AWAY:
            return PluginUnavailable(f"{self._endpoint}: {details}")
        return PluginBroken(f"{self._endpoint} answers {code.name}: {details}")

    def _learn(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Proposed):
                self._tried.add(_key(entry.proposal))
                if entry.proposal.name is not None:
                    self._names.add(entry.proposal.name)


def _check_names(suggestion: Suggestion, who: str) -> None:
    """Refuse to call a trial what a service makes up: it becomes a folder, removed in the end."""
    for proposal in suggestion.proposals:
        for name in (proposal.name, proposal.parent):
            if name is not None and not is_trial_name(name):
                raise PluginBroken(f"{who} answered {name!r}, no name of a trial")


def _once_named(suggestion: Suggestion, taken: Collection[str]) -> Suggestion:
    """Leave a name to the first trial that has it: two would share a folder."""
    here: set[str | None] = set()
    proposals: list[Proposal] = []
    for proposal in suggestion.proposals:
        is_taken = proposal.name in here or proposal.name in taken
        here.add(proposal.name)
        proposals.append(replace(proposal, name=None) if is_taken else proposal)
    return replace(suggestion, proposals=tuple(proposals))


def _with_repeats_noted(suggestion: Suggestion, tried: Collection[int]) -> Suggestion:
    """Say where points are repeated and do not say why: they may be a slip, and cost a trial."""
    here: set[int] = set()
    repeated = False
    for proposal in suggestion.proposals:
        key = _key(proposal)
        repeated |= (key in here or key in tried) and not (proposal.reason or proposal.parent)
        here.add(key)
    note = "; ".join(filter(None, (suggestion.note, REPEATS if repeated else "")))
    return replace(suggestion, note=note)


def _key(proposal: Proposal) -> int:
    return hash(frozenset(proposal.point.items()))


def _v1(channel: grpc.aio.Channel) -> "Stub":
    return cast("Stub", tunewright_pb2_grpc.SuggestionStub(channel))
