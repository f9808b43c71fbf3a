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

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_REPLY_SECONDS = 30.0
_FINAL: dict[grpc.StatusCode, type[Terminal]] = {
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.UNAUTHENTICATED: Forbidden,
    grpc.StatusCode.INVALID_ARGUMENT: Unsupported,
}
"""Answers that would be the same for ever."""
_DOUBT_SECONDS = 60.0
"""How long a collector that is refused asks again: a service that has just started may not know
its pod yet."""


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
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            answer = await self._try(request)
            if isinstance(answer, pb.ReportReply):
                return answer
            is_in_doubt = isinstance(answer, Forbidden) and waited < _DOUBT_SECONDS
            if answer is not None and not is_in_doubt:
                raise answer
            self.rest()
            await self._sleep(pause)
            waited += pause
            pause = min(_LONGEST_PAUSE, 2 * pause)

    def rest(self) -> None:
        """End the stream while there is nothing to say: it holds a thread of the service."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None

    async def close(self) -> None:
        self.rest()
        await self._channel.close(None)

    async def _try(self, request: pb.ReportRequest) -> pb.ReportReply | Terminal | None:
        """Send a batch once; return the reply, why there never will be one, or None: try again."""
        try:
            reply = await asyncio.wait_for(self._ask(request), _REPLY_SECONDS)
        except grpc.aio.AioRpcError as error:
            return _refusal(error.code(), error.details())
        except (TimeoutError, asyncio.InvalidStateError):
            return None  # it is stuck, or the stream had ended before we wrote
        if reply is not None:
            return reply
        return _refusal(await self._stream.code(), await self._stream.details())

    async def _ask(self, request: pb.ReportRequest) -> pb.ReportReply | None:
        """Ask on the stream that is open, or a new one; None: the service ended it."""
        if self._stream is None:
            stub: Any = stubs.MetricsStub(self._channel)
            self._stream = stub.Report(metadata=self._service.metadata())
        await self._stream.write(request)
        reply = await self._stream.read()
        return reply if isinstance(reply, pb.ReportReply) else None


def _refusal(code: grpc.StatusCode, details: str | None) -> Terminal | None:
    final = _FINAL.get(code)
    return None if final is None else final(details or code.name)


def sample_to_wire(sample: PlainSample) -> pb.Sample:
    metric, value, time, step = sample
    return pb.Sample(metric=metric, value=value, time=time, step=step, text=as_text(value))
