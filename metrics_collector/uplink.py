"""From a collector to the metrics service: one batch after the other, until it is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ..api.errors import Forbidden, NotFound, Terminal, Unsupported
from ..api.observation import PlainSample
from ..proto import tunewright_pb2 as pb
from ..proto import tunewright_pb2_grpc as stubs
from ..proto.service import Service

_LONGEST_PAUSE = 10.0
_REPLY_SECONDS = 30.0
_FINAL: dict[grpc.StatusCode, type[Terminal]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.UNAUTHENTICATED: Forbidden,
    grpc.StatusCode.INVALID_ARGUMENT: Unsupported,
}
"""Answers that would be the same for ever."""


class Uplink:
    """Sends one batch after the other. The service may be away for as long as it is."""

    def __init__(
        self, service: Service, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._service = service
        self._sleep = sleep
        self._channel = service.aio_channel(is_ours=True)
        self._stream: Any = None

    async def send(self, request: pb.ReportRequest) -> pb.ReportReply:
        """Send a batch until the service has kept it.

        Raises:
            NotFound: the trial is gone.
            Forbidden: this collector may not report for it.
            Unsupported: the service takes no such batch.
        """
        failures = 0
        while True:
            try:
                reply = await asyncio.wait_for(self._ask(request), _REPLY_SECONDS)
            except grpc.aio.AioRpcError as error:
                _refuse(error.code(), error.details())
            except (TimeoutError, asyncio.InvalidStateError):
                pass  # it is stuck, or the stream had ended before we wrote
            else:
                if reply is not None:
                    return reply
                _refuse(await self._stream.code(), await self._stream.details())
            self._end_stream()
            failures += 1
            await self._sleep(min(_LONGEST_PAUSE, 0.1 * 2.0**failures))

    def rest(self) -> None:
        """End the stream while there is nothing to say: it holds a thread of the service."""
        self._end_stream()

    async def close(self) -> None:
        self._end_stream()
        await self._channel.close(None)

    async def _ask(self, request: pb.ReportRequest) -> pb.ReportReply | None:
        """Ask on the stream that is open, or a new one; None: the service ended it."""
        if self._stream is None:
            stub: Any = stubs.MetricsStub(self._channel)
            self._stream = stub.Report(metadata=self._service.metadata())
        await self._stream.write(request)
        reply = await self._stream.read()
        return reply if isinstance(reply, pb.ReportReply) else None

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None


def _refuse(code: grpc.StatusCode, details: str | None) -> None:
    """Raise what would be the same for ever."""
    final = _FINAL.get(code)
    if final is not None:
        raise final(details or code.name)


def sample_to_wire(sample: PlainSample) -> pb.Sample:
    metric, value, time, step = sample
    return pb.Sample(metric=metric, value=value, time=time, step=step)
