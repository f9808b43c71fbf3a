"""What the commands that serve share: options, TLS and tokens, waiting for their end."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import grpc

    from ..proto.serving import Tls

GRACE_SECONDS = 5.0
"""How long calls that run may take to finish once the service is to end."""

LAST_PORT = 65535
PORT = click.IntRange(0, LAST_PORT)

_Command = TypeVar("_Command", bound=Callable[..., Any])

namespaces_option = click.option(
    "--namespaces", help="Only these, with commas between; all by default."
)
http_option = click.option(
    "--http", default="127.0.0.1:8080", show_default=True, help="/healthz, /readyz and /metrics."
)
webhook_port_option = click.option(
    "--webhook-port",
    type=PORT,
    help="Put the collector into pods that are made elsewhere: the API server asks here.",
)
open_option = click.option(
    "--open",
    "is_open",
    is_flag=True,
    envvar="TUNEWRIGHT_OPEN",
    help="Let everybody report and read: for meshes and pods on their node's network.",
)


def own_cluster_options(command: _Command) -> _Command:
    """Add which cluster a service belongs to: by default that in which it runs."""
    command = click.option("--context", help="The context of the kubeconfig.")(command)
    return click.option(
        "--kubeconfig", help="The cluster; by default the one that this process runs in."
    )(command)


def address_options(command: _Command) -> _Command:
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


def address_of(written: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        Invalid: it is written otherwise.
    """
    from ..api.errors import Fault, Invalid

    host, _, port = written.rpartition(":")
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise Invalid([Fault("--http", f"{written} is no address", "write it as 0.0.0.0:8080")])
    return host, int(port)


def namespaces_of(written: str) -> tuple[str, ...]:
    """Read namespaces that are written as A,B.

    Raises:
        Invalid: it names none, which elsewhere means all of them.
    """
    from ..api.errors import Fault, Invalid

    found = tuple(name for each in written.split(",") if (name := each.strip()))
    if not found:
        message, remedy = "it names none", "write it as team-a,team-b, or leave it out for all"
        raise Invalid([Fault("--namespaces", message, remedy)])
    return found


def tls_of(cert: Path | None, key: Path | None) -> "Tls | None":
    from ..api.errors import Fault, Invalid
    from ..proto.serving import Tls

    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "--tls-key" if key is None else "--tls-cert"
        raise Invalid([Fault(missing, "TLS needs a certificate and its key", "give both")])
    return Tls(cert, key)


def token_of(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


def announce(address: str) -> None:
    click.echo(f"serving on {address}")


def wait(*servers: "grpc.Server") -> None:
    """Serve until interrupted; running calls may finish.

    The main thread waits in an event loop, which a signal wakes whichever thread receives it.
    Waiting for a lock, it would not wake.
    """
    import asyncio
    import signal

    async def interrupted() -> None:
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        await over.wait()

    asyncio.run(interrupted())
    end(*servers)


def end(*servers: "grpc.Server") -> None:
    for ended in [server.stop(GRACE_SECONDS) for server in servers]:
        ended.wait()
