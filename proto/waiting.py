"""The calls of a server whose request has not come.

gRPC gives a call a thread before its request has come, which it need not ever. Without a bound,
callers that say nothing take the threads of all others, before anybody asks who they are.
"""

import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import grpc

_Request = TypeVar("_Request")


class WaitingCalls:
    """Ends the call that has been silent for longest, once more than `most` are silent."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._silent: dict[Any, None] = {}  # the longest first
        self._lock = threading.Lock()

    def requests(
        self, requests: Iterator[_Request], context: grpc.ServicerContext
    ) -> Iterator[_Request]:
        """Yield the requests of a call as they come.

        Raises:
            grpc.RpcError: the call was ended, here or by its caller.
        """
        while True:
            self._begin(context)
            try:
                request = next(requests)
            except StopIteration:
                return
            finally:
                self._end(context)
            yield request

    def _begin(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._silent[context] = None
            too_long = next(iter(self._silent)) if len(self._silent) > self._most else None
            if too_long is not None:
                del self._silent[too_long]
        if too_long is not None:
            too_long.cancel()

    def _end(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            self._silent.pop(context, None)
