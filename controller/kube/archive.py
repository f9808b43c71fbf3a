"""The archive, as the operator sees it: in the metrics service, or in this process.

SQL is a mirror of experiments and trials, and the home of what they reported;
`db.archive` says what each call does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import grpc
import grpc.aio

from ...api.errors import Fault, Forbidden, Invalid, StoreUnavailable, TunewrightError, Unsupported
from ...db import archive, convert_archive
from ...db.archive import Looked
from ...db.records import ExperimentRecord, PendingStop, TrialRecord
from ...db.store import Store
from ...proto import tunewright_pb2 as pb
from ...proto import tunewright_pb2_grpc as stubs
from ...proto.service import Service

if TYPE_CHECKING:
    from ...proto.tunewright_pb2_grpc import ArchiveAsyncStub

T = TypeVar("T")

_AWAY = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}
_REFUSED = {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}


class Archive(Protocol):
    """Every call may be repeated, and raises StoreUnavailable while the store is away."""

    async def keep(self, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> int:
        """Make the archive say what the records say; return the next index that it lacks."""
        ...

    async def look(self, uid: str, wanted: Sequence[tuple[int, int]]) -> Mapping[int, Looked]:
        """Return what was reported in pairs of index and attempt, by index."""
        ...

    async def stops(self) -> Sequence[PendingStop]:
        """Return the early stops of all experiments that nobody has answered."""
        ...


class StoreArchive:
    """The archive in a store of this process, whose calls run in a thread."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> int:
        return await asyncio.to_thread(
            archive.keep, self._store, experiment, trials, now=self._clock()
        )

    async def look(self, uid: str, wanted: Sequence[tuple[int, int]]) -> Mapping[int, Looked]:
        return await asyncio.to_thread(archive.look, self._store, uid, wanted)

    async def stops(self) -> Sequence[PendingStop]:
        return await asyncio.to_thread(archive.stops, self._store)


class RemoteArchive:
    """The archive behind the metrics service. `timeout` is seconds for one call."""

    def __init__(self, service: Service, *, timeout: float = 30.0) -> None:
        self._service = service
        self._timeout = timeout
        self._channel = service.aio_channel(is_ours=True)
        self._stub = cast("ArchiveAsyncStub", stubs.ArchiveStub(self._channel))

    async def keep(self, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> int:
        request = convert_archive.keep_request(experiment, trials)
        return (await self._ask(self._stub.Keep, request)).next_index

    async def look(self, uid: str, wanted: Sequence[tuple[int, int]]) -> Mapping[int, Looked]:
        keys = [pb.AttemptKey(index=index, attempt=attempt) for index, attempt in wanted]
        reply = await self._ask(self._stub.Look, pb.LookRequest(uid=uid, attempts=keys))
        return convert_archive.looked(reply)

    async def stops(self) -> Sequence[PendingStop]:
        return convert_archive.pending(await self._ask(self._stub.Stops, pb.StopsRequest()))

    async def close(self) -> None:
        await self._channel.close(None)

    async def _ask(self, call: Callable[..., Awaitable[T]], request: Any) -> T:
        try:
            return await call(request, timeout=self._timeout, metadata=self._service.metadata())
        except grpc.aio.AioRpcError as error:
            raise _ours(self._service.address, error) from error


def _ours(address: str, error: grpc.aio.AioRpcError) -> TunewrightError:
    """Return what a gRPC error means here."""
    code, said = error.code(), f"{address}: {error.details() or error.code().name}"
    if code in _AWAY:
        return StoreUnavailable(f"the metrics service does not answer: {said}")
    if code in _REFUSED:
        return Forbidden(said)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Invalid([Fault("", line) for line in said.splitlines()])
    return Unsupported(f"the metrics service answers {code.name}: {said}")
