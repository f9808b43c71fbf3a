"""Calling a gRPC service: its address, its certificate, our token. `serving` is the other end."""

from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from .serving import UNLIMITED

OPTIONS = [
    *UNLIMITED,
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]
"""Keep the connection, although hours may pass between two calls, and try every few seconds to
reach a service that was away; gRPC's default goes up to two minutes."""

PINGS = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
]
"""Notice during a call that a machine is gone. Servers of others may refuse so many pings."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service is. `root` is the PEM of who signed its certificate, by default the system's.

    The file of the `token` is read for each call, since it is renewed.
    """

    address: str
    secure: bool = False
    root: bytes | None = None
    token: Path | None = None

    def channel(self) -> grpc.Channel:
        if not self.secure:
            return grpc.insecure_channel(self.address, options=OPTIONS)
        credentials = grpc.ssl_channel_credentials(self.root)
        return grpc.secure_channel(self.address, credentials, options=OPTIONS)

    def aio_channel(self, *, is_ours: bool = False) -> grpc.aio.Channel:
        """Return a channel of the running event loop, to a server of `serving` or another."""
        options = [*OPTIONS, *(PINGS if is_ours else ())]
        if not self.secure:
            return grpc.aio.insecure_channel(self.address, options=options)
        credentials = grpc.ssl_channel_credentials(self.root)
        return grpc.aio.secure_channel(self.address, credentials, options=options)

    def metadata(self) -> list[tuple[str, str]]:
        """Return what each call carries."""
        if self.token is None:
            return []
        return [("authorization", f"Bearer {self.token.read_text(encoding='utf-8').strip()}")]
