"""The archive, as the operator sees it: in the metrics service, or in this process.

SQL is a mirror of experiments and trials, and the home of what they reported;
`db.archive` says what each call does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import grpc
import grpc.aio

from ...api.errors import Fault, Forbidden, Invalid, StoreUnavailable, TunewrightError, Unsupported
from ...api.observation import Batch
from ...db import archive, convert_archive, sweeping
from ...db.archive import Looked
from ...db.records import ExperimentRecord, Missing, PendingStop, Reporter, TrialRecord
from ...db.store import Store
from ...metrics_collector.uplink import sample_to_wire
from ...proto import tunewright_pb2 as pb
from ...proto import tunewright_pb2_grpc as stubs
from ...proto.service import Service
from .cache import Key

if TYPE_CHECKING:
    from ...proto.tunewright_pb2_grpc import ArchiveAsyncStub, MetricsAsyncStub

T = TypeVar("T")

_AWAY = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}
_FAILS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED}
"""A failure of the moment as well as a bug: who asks again loses nothing."""

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

    async def missing(
        self, present: Collection[str], namespaces: Collection[str]
    ) -> Sequence[Missing]:
        """Return which experiments were missing before, and have it noted that others are.

        `present` are all that there are in `namespaces`: everywhere, where none is named.
        """
        ...

    async def forget(self, uids: Sequence[str]) -> None:
        """Remove all that experiments recorded."""
        ...

    async def keep_output(self, uid: str, index: int, attempt: int, tail: bytes) -> None:
        """Keep the end of what an attempt wrote."""
        ...

    async def report(self, trial: Key, batch: Batch, said: Reporter) -> None:
        """Keep what was read of a trial's log, and what its reader says of itself."""
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

    async def missing(
        self, present: Collection[str], namespaces: Collection[str]
    ) -> Sequence[Missing]:
        return await asyncio.to_thread(
            sweeping.missing, self._store, present, namespaces, now=self._clock()
        )

    async def forget(self, uids: Sequence[str]) -> None:
        await asyncio.to_thread(sweeping.forget, self._store, uids)

    async def keep_output(self, uid: str, index: int, attempt: int, tail: bytes) -> None:
        key = (uid, index, attempt, archive.STREAM)
        await asyncio.to_thread(self._store.keep_output, *key, tail)

    async def report(self, trial: Key, batch: Batch, said: Reporter) -> None:
        del trial
        await asyncio.to_thread(self._report, batch, said)

    def _report(self, batch: Batch, said: Reporter) -> None:
        now, uid = self._clock(), batch.experiment_uid
        with self._store.group():
            if batch.samples:
                self._store.record([batch], now=now)
            self._store.note_reporter(uid, batch.index, batch.attempt, said, now=now)


class RemoteArchive:
    """The archive behind the metrics service. `timeout` is seconds for one call."""

    def __init__(self, service: Service, *, timeout: float = 30.0) -> None:
        self._service = service
        self._timeout = timeout
        self._channel = service.aio_channel(is_ours=True)
        self._stub = cast("ArchiveAsyncStub", stubs.ArchiveStub(self._channel))
        self._metrics = cast("MetricsAsyncStub", stubs.MetricsStub(self._channel))

    async def keep(self, experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> int:
        request = convert_archive.keep_request(experiment, trials)
        return (await self._ask(self._stub.Keep, request)).next_index

    async def look(self, uid: str, wanted: Sequence[tuple[int, int]]) -> Mapping[int, Looked]:
        keys = [pb.AttemptKey(index=index, attempt=attempt) for index, attempt in wanted]
        reply = await self._ask(self._stub.Look, pb.LookRequest(uid=uid, attempts=keys))
        return convert_archive.looked(reply)

    async def stops(self) -> Sequence[PendingStop]:
        return convert_archive.pending(await self._ask(self._stub.Stops, pb.StopsRequest()))

    async def missing(
        self, present: Collection[str], namespaces: Collection[str]
    ) -> Sequence[Missing]:
        request = pb.MissingRequest(uids=present, namespaces=namespaces)
        return convert_archive.missing(await self._ask(self._stub.Missing, request))

    async def forget(self, uids: Sequence[str]) -> None:
        await self._ask(self._stub.Forget, pb.ForgetRequest(uids=uids))

    async def keep_output(self, uid: str, index: int, attempt: int, tail: bytes) -> None:
        request = pb.KeepOutputRequest(uid=uid, index=index, attempt=attempt, tail=tail)
        await self._ask(self._stub.KeepOutput, request)

    async def report(self, trial: Key, batch: Batch, said: Reporter) -> None:
        request = pb.ReportRequest(
            namespace=trial.namespace,
            trial=trial.name,
            attempt=batch.attempt,
            source=batch.source,
            first_sequence=batch.first_sequence,
            samples=map(sample_to_wire, batch.samples),
            note=pb.ReporterNote(seen=said.seen, dropped=said.dropped, done=said.done),
        )
        await self._ask(self._reported, request)

    async def _reported(self, request: Any, *, timeout: float, metadata: Any) -> Any:  # noqa: ASYNC109 -- it is gRPC's deadline
        call = self._metrics.Report(iter([request]), timeout=timeout, metadata=metadata)
        return [reply async for reply in call]

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
    if code in _FAILS:
        return StoreUnavailable(f"the metrics service answers {code.name}: {said}")
    if code in _REFUSED:
        return Forbidden(said)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Invalid([Fault("", line) for line in said.splitlines()])
    return Unsupported(f"the metrics service answers {code.name}: {said}")
