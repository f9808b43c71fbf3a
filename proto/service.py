"""The caller's end of a gRPC service: where it is, and how it and we are known.

`serving` is the other end.
"""

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
"""Hours may pass between two calls; the connection is kept. Without more words gRPC would wait
two minutes before it tries again to reach a service that was away."""

PINGS = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
]
"""Find out during a call that a machine is gone; other people's servers take it amiss."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service is. `root` is the PEM of who signed its certificate, by default the system's.

    The file of the `token` is read for each call: it is renewed.
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
