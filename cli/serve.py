"""`tunewright serve`: gRPC services of this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import store_options
from .place import Place

if TYPE_CHECKING:
    import grpc

    from ..proto.serving import Tls

_GRACE_SECONDS = 5.0
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _address_options(command: _Command) -> _Command:
    for option in (
        click.option(
            "--token-file",
            type=click.Path(exists=True, path_type=Path),
            help="Callers must know what it holds.",
        ),
        click.option(
            "--tls-key", type=click.Path(exists=True, path_type=Path), help="Its private key."
        ),
        click.option(
            "--tls-cert", type=click.Path(exists=True, path_type=Path), help="Serve over TLS."
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="0.0.0.0 serves others, too."
        ),
    ):
        command = option(command)
    return command


@click.group()
def serve() -> None:
    """Serve algorithms or metrics over gRPC, in Katib's API and our own.

    \b
    Examples:
      tunewright serve suggestion --port 6789
      tunewright serve metrics --port 6790
    """


@serve.command()
@click.option("--port", default=6789, show_default=True, help="The port; 0 takes a free one.")
@_address_options
def suggestion(
    port: int, host: str, tls_cert: Path | None, tls_key: Path | None, token_file: Path | None
) -> None:
    """Serve the algorithms.

    \b
    Examples:
      tunewright serve suggestion --port 6789
    """
    from ..suggestion.service import start_service as start

    _wait(start(f"{host}:{port}", tls=_tls(tls_cert, tls_key), token=_token(token_file)))


@serve.command()
@click.option("--port", default=6790, show_default=True, help="The port; 0 takes a free one.")
@_address_options
@store_options
def metrics(
    port: int,
    host: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
    store: str | None,
    namespace: str | None,
) -> None:
    """Take metrics in and give them out, over the store.

    \b
    Examples:
      tunewright serve metrics --port 6790
    """
    from ..db.metrics_service import serve as start
    from . import compose

    del namespace
    with compose.opened(Place.of(store)) as opened:
        tls = _tls(tls_cert, tls_key)
        _wait(start(opened, f"{host}:{port}", tls=tls, token=_token(token_file)))


def _tls(cert: Path | None, key: Path | None) -> "Tls | None":
    from ..api.errors import Fault, Invalid
    from ..proto.serving import Tls

    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "--tls-key" if key is None else "--tls-cert"
        raise Invalid([Fault(missing, "TLS needs a certificate and its key", "give both")])
    return Tls(cert, key)


def _token(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


def _wait(served: "tuple[grpc.Server, str]") -> None:
    """Serve until interrupted; running calls may finish."""
    import signal
    import threading

    server, address = served
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    click.echo(f"serving on {address}")
    over.wait()
    server.stop(_GRACE_SECONDS).wait()
