"""`tunewright collector`: the sidecar of a trial's pod."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..metrics_collector.sidecar import Sidecar
    from ..metrics_collector.spec import CollectorSpec
    from ..metrics_collector.uplink import Uplink


@click.command()
@click.option(
    "--spool",
    envvar="TUNEWRIGHT_SPOOL",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that the launcher fills.",
)
@click.option("--server", envvar="TUNEWRIGHT_METRICS", required=True, help="The metrics service.")
@click.option("--trial", envvar="TUNEWRIGHT_TRIAL", required=True, help="The trial's name.")
@click.option("--namespace", envvar="TUNEWRIGHT_NAMESPACE", default="default", show_default=True)
@click.option("--attempt", envvar="TUNEWRIGHT_ATTEMPT", default=1, show_default=True)
@click.option("--pod", envvar="TUNEWRIGHT_POD", default="", help="The uid of the pod it is in.")
@click.option(
    "--metric", "metrics", multiple=True, required=True, help="A metric's name; may be repeated."
)
@click.option(
    "--collector",
    "document",
    envvar="TUNEWRIGHT_COLLECTOR",
    default="{}",
    help="The metricsCollectorSpec as JSON.  [default: standard output]",
)
@click.option(
    "--ca",
    envvar="TUNEWRIGHT_METRICS_CA",
    type=click.Path(exists=True, path_type=Path),
    help="The CA of the service's certificate; without it, TLS is off.",
)
@click.option(
    "--token-file",
    envvar="TUNEWRIGHT_METRICS_TOKEN",
    type=click.Path(exists=True, path_type=Path),
    help="A file with the token for the service.",
)
@click.option(
    "--stay", is_flag=True, help="Run until SIGTERM, because the container may be restarted."
)
def collector(
    *,
    spool: Path,
    server: str,
    trial: str,
    namespace: str,
    attempt: int,
    pod: str,
    metrics: tuple[str, ...],
    document: str,
    ca: Path | None,
    token_file: Path | None,
    stay: bool,
) -> None:
    """Collect a trial's metrics beside its main container, until that ends.

    Every line that is read is printed. Options can be set in the environment: TUNEWRIGHT_SPOOL,
    _METRICS, _TRIAL, _NAMESPACE, _ATTEMPT, _POD, _COLLECTOR, _METRICS_CA, _METRICS_TOKEN.

    \b
    Examples:
      launcher --spool /spool --metric loss -- python train.py &
      tunewright collector --spool /spool --metric loss --trial digits-x7k2 --server metrics:6790
    """
    import asyncio
    import os
    import time

    # A service may be away for a while; gRPC would print a line for each try to reach it.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

    from ..metrics_collector.sidecar import Reported, Sidecar
    from ..metrics_collector.uplink import Uplink
    from ..proto.service import Service

    root = None if ca is None else ca.read_bytes()

    async def run() -> None:
        uplink = Uplink(Service(server, root is not None, root, token_file))
        sidecar = Sidecar(
            spool,
            Reported(namespace, trial, attempt, pod),
            _spec(document),
            metrics,
            uplink,
            clock=time.time,
            show=_show,
            stays=stay,
        )
        await _collect(sidecar, uplink)

    asyncio.run(run())


async def _collect(sidecar: "Sidecar", uplink: "Uplink") -> None:
    """Collect until SIGTERM, by which a pod ends its sidecars; the launcher has blocked it."""
    import asyncio
    import signal

    told = (signal.SIGTERM, signal.SIGINT)
    for number in told:
        asyncio.get_running_loop().add_signal_handler(number, sidecar.end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, told)
    try:
        await sidecar.run()
    finally:
        await uplink.close()


def _spec(document: str) -> "CollectorSpec":
    import json

    from ..api.errors import Fault, Invalid
    from ..metrics_collector.spec import collector_spec

    try:
        return collector_spec(json.loads(document))
    except ValueError as error:
        raise Invalid([Fault("--collector", f"is not a metricsCollectorSpec: {error}")]) from error


def _show(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
