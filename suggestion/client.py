"""Asking a service at an endpoint, over tunewright.v1 or Katib's api.v1.beta1.

Which of the two it speaks is found at the first call. A tunewright.v1 service
is sent what is behind its position. A plug-in of Katib's is taken as stateful:
it is shown the trials that it proposed since this client first spoke to it,
points that it repeats are dropped, and a short answer means "wait".
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import grpc
import grpc.aio

from ..api.errors import (
    Fault,
    Invalid,
    PluginBroken,
    PluginUnavailable,
    TunewrightError,
    Unsupported,
)
from ..api.history import Entry, Finished, Proposal, Proposed, SearchState, Suggestion
from ..api.problem import Problem
from ..proto import (
    api_pb2,
    api_pb2_grpc,
    convert,
    convert_katib,
    tunewright_pb2,
    tunewright_pb2_grpc,
)
from ..proto.serving import UNLIMITED
from .cube import Cube
from .inline import History
from .session import check, searched

if TYPE_CHECKING:
    from ..proto.api_pb2_grpc import SuggestionAsyncStub as KatibStub
    from ..proto.tunewright_pb2_grpc import SuggestionAsyncStub as V1Stub


class RemoteSuggester:
    """Asks one experiment's algorithm at `host:port`, `unix:PATH`, or `grpcs://host:port`.

    `timeout` is seconds for one call; `authority` the PEM of who signed the
    service's certificate; `speaks_v1` settles the protocol, which is found out otherwise.
    """

    def __init__(
        self,
        endpoint: str,
        history: History,
        *,
        timeout: float = 60.0,  # it is gRPC's deadline
        authority: bytes | None = None,
        speaks_v1: bool | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._history = history
        self._timeout = timeout
        self._authority = authority
        self._channel: grpc.aio.Channel | None = None
        self._speaks_v1 = speaks_v1
        self._problem: Problem | None = None
        self._position = 0
        self._entries: list[Entry] = []
        self._settings: dict[str, str] = {}

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
        channel = self._open()
        try:
            if self._speaks_v1 is None:
                self._speaks_v1 = await self._describes(channel)
            if self._speaks_v1:
                suggestion = await self._suggest_v1(channel, problem, first_index, count, position)
            else:
                suggestion = await self._suggest_katib(channel, problem, count, position)
        except grpc.aio.AioRpcError as error:
            raise _ours(self._endpoint, error) from error
        check(problem.space, suggestion, count, self._endpoint)
        return suggestion

    async def validate(self, problem: Problem) -> Sequence[Fault]:
        """Ask the service what is wrong with a problem."""
        channel = self._open()
        try:
            if self._speaks_v1 is None:
                self._speaks_v1 = await self._describes(channel)
            if self._speaks_v1:
                v1 = _v1(channel)
                request = tunewright_pb2.ValidateRequest(problem=convert.problem_to_wire(problem))
                await v1.Validate(request, timeout=self._timeout)
            else:
                katib = _katib(channel)
                experiment = convert_katib.experiment_to_katib(problem, {})
                asked = api_pb2.ValidateAlgorithmSettingsRequest(experiment=experiment)
                await katib.ValidateAlgorithmSettings(asked, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return ()
            ours = _ours(self._endpoint, error)
            if isinstance(ours, Invalid):
                return ours.faults
            raise ours from error
        return ()

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            scheme, _, address = self._endpoint.rpartition("://")
            if scheme in {"grpcs", "https"}:
                credentials = grpc.ssl_channel_credentials(self._authority)
                self._channel = grpc.aio.secure_channel(address, credentials, options=UNLIMITED)
            else:
                self._channel = grpc.aio.insecure_channel(address, options=UNLIMITED)
        return self._channel

    async def _describes(self, channel: grpc.aio.Channel) -> bool:
        stub = _v1(channel)
        try:
            await stub.Describe(tunewright_pb2.DescribeRequest(), timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return False
            raise
        return True

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
            self._problem, self._position = searched(problem), reply.position
            return convert.suggestion_from_wire(reply)
        raise PluginBroken(f"{self._endpoint} does not take the log from its start")

    async def _suggest_katib(
        self, channel: grpc.aio.Channel, problem: Problem, count: int, position: int
    ) -> Suggestion:
        _needs_no_more_than_katib(problem)
        after = self._entries[-1].position if self._entries else 0
        self._entries += await self._read(after, position)
        proposed = sum(isinstance(entry, Proposed) for entry in self._entries)
        request = api_pb2.GetSuggestionsRequest(
            experiment=convert_katib.experiment_to_katib(problem, self._settings),
            trials=convert_katib.trials_to_katib(problem, self._shown(), {}),
            current_request_number=count,
            total_request_number=proposed + count,
        )
        stub = _katib(channel)
        try:
            reply = await stub.GetSuggestions(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.OUT_OF_RANGE:
                return Suggestion((), SearchState.EXHAUSTED, error.details() or "")
            raise
        for setting in reply.algorithm.algorithm_settings:
            self._settings[setting.name] = setting.value
        return self._kept(problem, reply, count)

    def _shown(self) -> Sequence[Entry]:
        """Return the log without what the plug-in did not propose: persons' points."""
        strangers = {
            entry.index
            for entry in self._entries
            if isinstance(entry, Proposed) and entry.proposal.reason in {"initial", "user"}
        }
        return [entry for entry in self._entries if entry.index not in strangers]

    def _kept(self, problem: Problem, reply: api_pb2.GetSuggestionsReply, count: int) -> Suggestion:
        cube = Cube(problem.space)
        seen = {
            cube.key(entry.proposal.point) for entry in self._entries if isinstance(entry, Proposed)
        }
        kept: list[Proposal] = []
        for wire in reply.parameter_assignments[:count]:
            try:
                proposal = convert_katib.proposal_from_katib(problem, wire)
            except ValueError as error:
                raise PluginBroken(f"{self._endpoint} answered a wrong point: {error}") from error
            if cube.key(proposal.point) not in seen:
                kept.append(proposal)
        if len(kept) == count:
            return Suggestion(tuple(kept))
        repeated = len(reply.parameter_assignments) - len(kept)
        note = f"{repeated} points that were tried before were dropped" if repeated else ""
        ended = sum(isinstance(entry, Finished) for entry in self._entries)
        idle = ended == sum(isinstance(entry, Proposed) for entry in self._entries)
        if not kept and idle:  # nothing runs that could end the waiting
            return Suggestion((), SearchState.EXHAUSTED, note or "it has no more points")
        return Suggestion(tuple(kept), SearchState.WAIT, note)


def _v1(channel: grpc.aio.Channel) -> "V1Stub":
    return cast("V1Stub", tunewright_pb2_grpc.SuggestionStub(channel))


def _katib(channel: grpc.aio.Channel) -> "KatibStub":
    return cast("KatibStub", api_pb2_grpc.SuggestionStub(channel))


def _needs_no_more_than_katib(problem: Problem) -> None:
    if problem.space.conditions:
        raise Unsupported(
            "spec.parameterConditions cannot be carried by api.v1.beta1: "
            "use a plug-in that speaks tunewright.v1"
        )


def _ours(endpoint: str, error: grpc.aio.AioRpcError) -> TunewrightError:
    """Return what a gRPC error means here."""
    details = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.INVALID_ARGUMENT:
            return Invalid([Fault("spec.algorithm", line) for line in details.splitlines()])
        case (
            grpc.StatusCode.UNAVAILABLE
            | grpc.StatusCode.DEADLINE_EXCEEDED
            | grpc.StatusCode.RESOURCE_EXHAUSTED
        ):
            return PluginUnavailable(f"{endpoint}: {details}")
        case _:
            return PluginBroken(f"{endpoint} answers {error.code().name}: {details}")
