"""What every gRPC server of ours has: health, errors as codes, TLS and a token when asked.

Beyond loopback a server must be told how callers are known; `start` refuses to
listen there without TLS or a token, unless it is told that it may.
"""

import errno
import hmac
import ipaddress
import logging
import socket
import string
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote

import grpc

from ..api.errors import Fault, Invalid, NotFound, TunewrightError, Unsupported
from . import health_pb2, health_pb2_grpc
from .waiting import WaitingCalls

log = logging.getLogger(__name__)

UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
"""A history of 10,000 trials is larger than gRPC's 4 MiB."""

_AS_IT_IS = string.printable.replace("%", "")
_LONGEST = 6000
"""Bytes of an error's message as it is sent. gRPC may lose one of 8 KiB, with its code."""

if TYPE_CHECKING:
    Interceptor = grpc.ServerInterceptor[Any, Any]
else:  # generic to the type checker only
    Interceptor = grpc.ServerInterceptor

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. With `client_ca`, callers must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that read the files at each connection, since they are renewed."""
        known = [self._read()]

        def renewed() -> Any:  # None where they are as they were, which grpc's types leave out
            try:
                found = self._read()
            except OSError as error:
                log.warning("the certificate cannot be read anew: %s", error)
                return None
            if found == known[0]:
                return None
            known[0] = found
            return _configuration(*found)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(*known[0]),
            renewed,
            require_client_authentication=self.client_ca is not None,
        )

    def _read(self) -> "_Pem":
        authority = self.client_ca.read_bytes() if self.client_ca else None
        return self.key.read_bytes(), self.certificate.read_bytes(), authority


_Pem: TypeAlias = tuple[bytes, bytes, bytes | None]


def _configuration(
    key: bytes, certificate: bytes, authority: bytes | None
) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(key, certificate)], authority)


def start(
    address: str,
    register: Callable[[grpc.Server], None],
    *,
    health: Iterable[str] = ("",),
    check: Callable[[], object] | None = None,
    tls: Tls | None = None,
    token: str | None = None,
    open_to_all: bool = False,
    threads: int = 10,
    largest: int = -1,
) -> tuple[grpc.Server, str]:
    """Start a server on `address` (`host:port` or `unix:/path`); port 0 takes a free one.

    `register` adds the services. `health` are the names that the health service knows:
    "" is serving as long as the process runs, the others as long as `check` does not raise.
    `largest` is how many bytes a request may have: it is in memory, several times over,
    before anybody asks who calls. An eighth of the `threads` is never held by calls that say
    nothing. Returns the server and the address that it listens on.

    Raises:
        Unsupported: the address is not loopback, and callers would not be known; or nothing can
            listen there.
    """
    address = _bracketed(address)
    if tls is None and token is None and not (open_to_all or _is_private(address)):
        raise Unsupported(
            f"{address} can be reached from other machines: give TLS files or a token, "
            "listen on 127.0.0.1, or let anybody call"
        )
    interceptors: list[Interceptor] = [_Handling(WaitingCalls(threads - max(1, threads // 8)))]
    if token is not None:
        interceptors.insert(0, _Token(token))
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        interceptors=interceptors,
        options=[
            ("grpc.max_receive_message_length", largest),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            # A caller whose machine is gone closes no stream, and each stream holds a thread.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # see service.PINGS
        ],
    )
    register(server)
    health_pb2_grpc.add_HealthServicer_to_server(_Health(health, check), server)
    try:
        port = (
            server.add_secure_port(address, tls.credentials())
            if tls
            else server.add_insecure_port(address)
        )
    except RuntimeError:
        raise Unsupported(f"{address} {_why_not(address)}") from None
    server.start()
    host = address.rpartition(":")[0]
    return server, address if address.startswith("unix:") else f"{host}:{port}"


def _bracketed(address: str) -> str:
    """Write an address as gRPC takes it: a host of IPv6 in brackets."""
    host, _, port = address.rpartition(":")
    bare = ":" in host and not host.startswith(("[", "unix:"))
    return f"[{host}]:{port}" if bare else address


def _why_not(address: str) -> str:
    """Say why nothing can listen there, which gRPC writes to its log alone."""
    host, _, port = address.rpartition(":")
    try:
        (family, *_, place), *_ = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM
        )
        with socket.socket(family) as tried:
            tried.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is taken by another program: name another port"
        return f"cannot be listened on: {error.strerror or error}"
    return "cannot be served: over TLS it takes a certificate and its key, both as PEM"


def _is_private(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Health(health_pb2_grpc.HealthServicer):
    """The health protocol: SERVING for the names it knows, NOT_FOUND for others."""

    def __init__(self, names: Iterable[str], check: Callable[[], object] | None) -> None:
        self._names = frozenset(names)
        self._check = check

    def Check(  # noqa: N802 # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            raise NotFound(f"there is no service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    def Watch(  # noqa: N802 # the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: grpc.ServicerContext
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        known = request.service in self._names
        status = self._status(request.service) if known else _UNKNOWN
        yield health_pb2.HealthCheckResponse(status=status)

    def _status(self, service: str) -> "health_pb2.HealthCheckResponse.ServingStatus.ValueType":
        if service and self._check is not None:
            try:
                self._check()
            except TunewrightError:
                return _NOT_SERVING
        return _SERVING


class _Token(Interceptor):
    """Refuses calls without the token; probes of health need none."""

    def __init__(self, token: str) -> None:
        self._wanted = f"Bearer {token}".encode()
        # One for a stream does not wait for what the caller sends.
        self._refusal = grpc.stream_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        given = dict(details.invocation_metadata).get("authorization", "")
        if details.method.startswith("/grpc.health.") or hmac.compare_digest(
            str(given).encode(), self._wanted
        ):
            return continuation(details)
        return self._refusal


def _refuse(_requests: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "the call carries no token, or a wrong one")


class _Handling(Interceptor):
    """Waits for the requests of each call, and turns our errors into codes.

    Every method is served as one that takes a stream, which is the same on the wire: gRPC itself
    would wait for a single request for ever. A bug is logged, and its caller told no more than
    that.
    """

    def __init__(self, waiting: WaitingCalls) -> None:
        self._waiting = waiting

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = continuation(details)
        if handler is None:
            return None
        single = handler.unary_unary or handler.unary_stream
        inner = _of_the_first(single) if single else handler.stream_unary or handler.stream_stream
        if handler.response_streaming:
            wrapped, make = _streaming, grpc.stream_stream_rpc_method_handler
        else:
            wrapped, make = _single, grpc.stream_unary_rpc_method_handler
        behavior = wrapped(details.method, self._waiting, inner)
        return make(behavior, handler.request_deserializer, handler.response_serializer)


def _of_the_first(inner: Callable[[Any, Any], Any]) -> Callable[[Iterator[Any], Any], Any]:
    def call(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        for request in requests:
            return inner(request, context)
        raise Invalid([Fault("request", "the call carries none", "send one")])

    return call


def _single(method: str, waiting: WaitingCalls, inner: Callable[[Any, Any], Any]) -> Any:
    def call(requests: Any, context: grpc.ServicerContext) -> Any:
        try:
            return inner(waiting.requests(requests, context), context)
        except grpc.RpcError:
            raise  # the caller has gone, as gRPC knows
        except Exception as error:  # noqa: BLE001 # whatever it is, the caller gets a code
            _abort(method, error, context)

    return call


def _streaming(method: str, waiting: WaitingCalls, inner: Callable[[Any, Any], Any]) -> Any:
    def call(requests: Any, context: grpc.ServicerContext) -> Any:
        try:
            yield from inner(waiting.requests(requests, context), context)
        except grpc.RpcError:
            return  # the caller has gone
        except Exception as error:  # noqa: BLE001 # whatever it is, the caller gets a code
            _abort(method, error, context)

    return call


def _abort(method: str, error: Exception, context: grpc.ServicerContext) -> None:
    if isinstance(error, TunewrightError):
        context.abort(grpc.StatusCode[error.codes.grpc], _cut(str(error)))
    log.error("%s failed", method, exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, f"{method} failed: a bug; the log says more")


def _cut(message: str) -> str:
    """Cut a message that is too long; gRPC writes what is not ASCII as `%` and two digits."""
    sent = quote(message, safe=_AS_IT_IS)
    return message if len(sent) <= _LONGEST else f"{unquote(sent[:_LONGEST], errors='ignore')}…"
