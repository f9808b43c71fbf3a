"""`tunewright serve`: gRPC services of this machine, or of a cluster."""

from pathlib import Path

import click

from .serve_metrics import metrics
from .serving import address_options, announce, tls_of, token_of, wait


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
@address_options
def suggestion(
    port: int, host: str, tls_cert: Path | None, tls_key: Path | None, token_file: Path | None
) -> None:
    """Serve the algorithms.

    \b
    Examples:
      tunewright serve suggestion --port 6789
    """
    from ..suggestion.service import start_service as start

    server, address = start(
        f"{host}:{port}", tls=tls_of(tls_cert, tls_key), token=token_of(token_file)
    )
    announce(address)
    wait(server)


serve.add_command(metrics)
