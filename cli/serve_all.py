"""`tunewright serve all`: the operator and its services as one process."""

from pathlib import Path

import click

from ..sdk.sources.place import Place
from .options import store_option
from .serving import (
    PORT,
    http_option,
    namespaces_of,
    namespaces_option,
    open_option,
    own_cluster_options,
    webhook_port_option,
)


@click.command("all")
@click.option(
    "--config",
    envvar="TUNEWRIGHT_CONFIG",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The settings file (YAML); see `tunewright operator`.",
)
@namespaces_option
@click.option(
    "--host",
    default="0.0.0.0",  # noqa: S104 -- it serves a cluster, and asks who calls
    show_default=True,
    help="The address to listen on for collectors.",
)
@click.option(
    "--plain-port",
    type=PORT,
    default=6789,
    show_default=True,
    help="The port of the metrics service, without TLS.",
)
@http_option
@webhook_port_option
@open_option
@click.option(
    "--observations-port", type=PORT, help="The port on which the API server fetches single values."
)
@own_cluster_options
@store_option
def everything(
    *,
    config: Path | None,
    namespaces: str | None,
    host: str,
    plain_port: int,
    http: str,
    webhook_port: int | None,
    is_open: bool,
    observations_port: int | None,
    kubeconfig: str | None,
    context: str | None,
    store: str | None,
) -> None:
    """Run the operator and its services in one process.

    This is for a store that a single process uses, such as SQLite on a volume. Two of these must
    not run at once. Port 6789 receives metrics, only from pods of trials. Port 8080 serves
    /healthz, /readyz and /metrics.

    \b
    Examples:
      tunewright serve all --config /etc/tunewright/config.yaml --store /data/store.db \\
        --http 0.0.0.0:8080
    """
    import asyncio
    import random
    import time

    from ..controller.kube import observations_api
    from ..controller.kube.archive import StoreArchive
    from ..controller.kube.client import connect
    from ..controller.kube.config import read_config
    from ..controller.kube.identity import PodAuthority
    from ..db.metrics_service import serve
    from ..db.store import Store
    from ..suggestion.crowd import Crowd
    from ..suggestion.nursery import workers
    from . import cluster, compose
    from .alongside import alongside
    from .serving import announce, end

    settled = read_config(config)
    if namespaces is not None:
        settled = settled.model_copy(update={"namespaces": namespaces_of(namespaces)})

    async def run(opened: Store) -> None:
        kube = await connect(kubeconfig=kubeconfig, context=context)
        authority = PodAuthority(kube, "", is_open=is_open, clock=time.time, chance=random.random)
        server, address = serve(opened, f"{host}:{plain_port}", authority=authority)
        announce(address)
        beside = [authority.run()]
        if observations_port is not None:
            beside.append(
                observations_api.serve(kube, opened, host, observations_port, clock=time.monotonic)
            )
        try:
            archive = StoreArchive(opened, time.time)
            async with alongside(*beside), workers() as start:
                parts = cluster.parts(kube, archive, Crowd(start).open, settled)
                await cluster.drive(
                    parts, http=http, lease_namespace=None, webhook_port=webhook_port
                )
        finally:
            await asyncio.to_thread(end, server)
            await kube.close()

    with compose.awaited(Place.of(store)) as opened:
        asyncio.run(run(opened))
