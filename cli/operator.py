"""`tunewright operator`: experiments of a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .serving import (
    end_when_told,
    http_option,
    namespaces_of,
    namespaces_option,
    own_cluster_options,
    webhook_port_option,
)

if TYPE_CHECKING:
    from ..api.problem import Problem
    from ..controller.ports import Suggester
    from ..suggestion.inline import History


@click.command()
@click.option(
    "--config",
    envvar="TUNEWRIGHT_CONFIG",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The settings file (YAML); options override it.",
)
@namespaces_option
@click.option("--metrics", help="The metrics service, HOST:PORT.")
@click.option("--suggestion", help="The suggestion service, HOST:PORT.")
@click.option(
    "--token-file",
    envvar="TUNEWRIGHT_METRICS_TOKEN",
    type=click.Path(path_type=Path),
    help="A file with the token for the metrics service.",
)
@click.option(
    "--ca",
    envvar="TUNEWRIGHT_METRICS_CA",
    type=click.Path(path_type=Path),
    help="The CA of the metrics service's certificate; without it, TLS is off.",
)
@http_option
@webhook_port_option
@click.option(
    "--lease-namespace",
    envvar="POD_NAMESPACE",
    help="The namespace of the lease that elects a leader; without it, this is the only replica.",
)
@own_cluster_options
def operator(
    *,
    config: Path | None,
    namespaces: str | None,
    metrics: str | None,
    suggestion: str | None,
    token_file: Path | None,
    ca: Path | None,
    http: str,
    webhook_port: int | None,
    lease_namespace: str | None,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Run the Experiments of a cluster.

    The settings file may have collector (image, imagePullPolicy, imagePullSecrets, resources),
    metrics, suggestion, namespaces. Environment: TUNEWRIGHT_CONFIG, TUNEWRIGHT_METRICS_TOKEN,
    TUNEWRIGHT_METRICS_CA, POD_NAMESPACE. Port 8080 answers /healthz, /readyz and /metrics.

    \b
    Examples:
      tunewright operator --config /etc/tunewright/config.yaml --http 0.0.0.0:8080
      tunewright operator --kubeconfig ~/.kube/config --metrics localhost:6789
    """
    import asyncio
    from functools import partial

    from ..controller.kube.archive import RemoteArchive
    from ..controller.kube.client import connect
    from ..controller.kube.config import read_config
    from ..proto.service import Service
    from ..suggestion.client import RemoteSuggester
    from ..suggestion.replicas import ReplicaSuggester, addresses_of
    from . import cluster

    end_when_told()
    given = {
        "metrics": metrics,
        "suggestion": suggestion,
        "namespaces": None if namespaces is None else namespaces_of(namespaces),
    }
    settled = read_config(config).model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )

    service = Service(
        settled.metrics,
        secure=ca is not None,
        root=None if ca is None else ca.read_bytes(),
        token=token_file,
    )

    def open_suggester(problem: "Problem", history: "History", *, timeout: float) -> "Suggester":
        if problem.endpoint is not None:
            return RemoteSuggester(problem.endpoint, history, timeout=timeout)
        replicas = partial(addresses_of, settled.suggestion)
        return ReplicaSuggester(replicas, history, timeout=timeout)

    async def run() -> None:
        kube = await connect(kubeconfig=kubeconfig, context=context)
        archive = RemoteArchive(service)
        try:
            parts = cluster.parts(kube, archive, open_suggester, settled)
            await cluster.drive(
                parts, http=http, lease_namespace=lease_namespace, webhook_port=webhook_port
            )
        finally:
            await archive.close()
            await kube.close()

    asyncio.run(run())
