"""Putting the page together: the socket, its address, and the server."""

import errno
import re
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..api.errors import Fault, Invalid, MissingExtra
from ..sdk.commands import COMMAND
from ..sdk.sources.source import Source
from ..sdk.sources.where import Where
from .options import client_of

if TYPE_CHECKING:
    from ..ui.access import Access

_FIRST_PORT = 8765
_PORTS_TRIED = 100
_VISIBLE = re.compile(r"[!-~]+")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is, with the token that opens it."""

    host: str
    port: int
    token: str

    @classmethod
    def of(cls, wire: socket.socket, host: str, token: str | None) -> "Address":
        """Return the address of a page that listens on `wire`; without a token it gets a new one.

        Raises:
            Invalid: the token has characters that not every program can send.
        """
        if token and not _VISIBLE.fullmatch(token):
            remedy = "letters, digits and signs of ASCII, without blanks"
            raise Invalid([Fault("--token", "not every program could send it", remedy)])
        return cls(host, wire.getsockname()[1], token or secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        everywhere = self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if everywhere else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/?token={quote(self.token, safe='')}"


def owner_alone(address: Address, names: Sequence[str]) -> "Access":
    """Let in whoever has the token and calls the page by one of its names."""
    from ..ui.access import TokenAccess

    return TokenAccess.of(address.token, (*_LOOPBACK, address.host, *names), address.port)


@contextmanager
def listening(host: str, port: int | None) -> Iterator[socket.socket]:
    """Listen on the port, or on the first one that is free.

    Raises:
        Invalid: the port is taken, or the host is not this machine's.
    """
    ports = [port] if port is not None else [*range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED), 0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in ports:
        wire = socket.socket(family, socket.SOCK_STREAM)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            wire.bind((host, number))
            wire.listen(128)
        except OSError as error:
            wire.close()
            if number != ports[-1] and not isinstance(error, socket.gaierror):
                continue
            raise _cannot_listen(host, number, error) from error
        with closing(wire):
            yield wire
        return


def _cannot_listen(host: str, port: int, error: OSError) -> Invalid:
    reason = error.strerror or str(error)
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return Invalid([Fault("--host", f"{host}: {reason}", "name an address of this machine")])
    remedy = "name another with --port, or none: the next free one is taken"
    return Invalid([Fault("--port", f"{host}:{port}: {reason}", remedy)])


def serve(
    wire: socket.socket,
    source: Source,
    where: Where,
    access: Callable[[], "Access"],
    base: str = "",
    *,
    workdir: Path,
) -> None:
    """Serve until a signal ends it. `access` says who may ask; all paths begin with `base`.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    try:
        import uvicorn

        from ..ui.app import make_app
        from ..ui.board import Board
    except ModuleNotFoundError as error:
        raise MissingExtra("the page", "ui") from error

    board = Board(source, client_of(where), workdir)
    app = make_app(board, access(), version("tunewright"), base)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[wire])


@contextmanager
def beside(where: Where) -> Iterator[str]:
    """Serve the page from a process of its own while the block runs; yield its address."""
    with subprocess.Popen(
        [*COMMAND, "ui", "--no-open", *_words(where)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as page:
        try:
            yield page.stdout.readline().strip() if page.stdout else ""
        finally:
            page.terminate()


def _words(where: Where) -> list[str]:
    """Return the options that tell another process where experiments are."""
    if not where.is_cluster:
        return ["--store", where.place.option]
    named = {
        "--context": where.context,
        "--kubeconfig": where.kubeconfig,
        "--namespace": where.namespace,
    }
    return ["--cluster", *(word for pair in named.items() if pair[1] for word in pair if word)]
