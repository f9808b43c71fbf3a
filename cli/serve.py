"""`tunewright serve`: services of this machine, or of a cluster."""

import os
from pathlib import Path

import click

from .serve_all import everything
from .serve_metrics import metrics
from .serve_page import page
from .serving import PORT, address_options, announce, end_when_told, tls_of, token_of, wait


@click.group()
def serve() -> None:
    """Serve algorithms or metrics over gRPC, in Katib's API and our own, or a cluster's page.

    \b
    Examples:
      tunewright serve suggestion --port 6789
      tunewright serve metrics --port 6790
    """
    end_when_told()
    # gRPC's own lines would stand before our message of a port that is taken.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


@serve.command()
@click.option(
    "--port",
    type=PORT,
    default=6789,
    show_default=True,
    help="The port; 0 picks a free one.",
)
@click.option("--open", "is_open", is_flag=True, help="Answer every caller, without a token.")
@address_options
def suggestion(
    *,
    port: int,
    is_open: bool,
    host: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
) -> None:
    """Serve the algorithms and the early-stopping rules.

    The service is stateless: every replica gives the same answer.

    \b
    Examples:
      tunewright serve suggestion --port 6789
      tunewright serve suggestion --host 0.0.0.0 --open
    """
    from ..suggestion.service import start_service as start

    server, address = start(
        f"{host}:{port}",
        mark_stopped=_mark_stopped,
        tls=tls_of(tls_cert, tls_key),
        token=token_of(token_file),
        open_to_all=is_open,
    )
    announce(address)
    wait(server)


def _mark_stopped(trial: str) -> None:
    """Tell the cluster that this pod runs in; a kubeconfig is a person's, not a caller's."""
    import time

    from ..api.errors import Unsupported
    from ..controller.kube.katib_trials import mark_stopped
    from ..controller.kube.session import Context, connect

    if not Context().is_inside:
        raise Unsupported("trials are marked as stopped from a pod of their cluster alone")
    session = connect(Context())
    mark_stopped(session, session.namespace, trial, now=time.time())


serve.add_command(metrics)
serve.add_command(everything)
serve.add_command(page)
