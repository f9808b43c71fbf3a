"""From a collector to the metrics service: one batch after the other, until it is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ..api.errors import Forbidden, NotFound, Terminal, Unsupported
from ..api.observation import PlainSample, as_text
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
_DOUBT_SECONDS = 60.0
"""How long a collector that may not report asks again: who has just started may not know it yet."""


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
            Forbidden: this collector may not report for it, which was said for a minute.
            Unsupported: the service takes no such batch.
        """
        failures, waited = 0, 0.0
        while True:
            refusal: Terminal | None = None
            try:
                reply = await asyncio.wait_for(self._ask(request), _REPLY_SECONDS)
            except grpc.aio.AioRpcError as error:
                refusal = _refusal(error.code(), error.details())
            except (TimeoutError, asyncio.InvalidStateError):
                pass  # it is stuck, or the stream had ended before we wrote
            else:
                if reply is not None:
                    return reply
                refusal = _refusal(await self._stream.code(), await self._stream.details())
            if refusal is not None and not (
                isinstance(refusal, Forbidden) and waited < _DOUBT_SECONDS
            ):
                raise refusal
            self._end_stream()
            failures += 1
            pause = min(_LONGEST_PAUSE, 0.1 * 2.0**failures)
            waited += pause
            await self._sleep(pause)

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


def _refusal(code: grpc.StatusCode, details: str | None) -> Terminal | None:
    final = _FINAL.get(code)
    return None if final is None else final(details or code.name)


def sample_to_wire(sample: PlainSample) -> pb.Sample:
    metric, value, time, step = sample
    return pb.Sample(metric=metric, value=value, time=time, step=step, text=as_text(value))
