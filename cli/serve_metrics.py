"""`tunewright serve metrics`: the store behind Katib's DBManager and our own protocol."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..sdk.sources.place import Place
from .options import store_option
from .serving import (
    PORT,
    address_options,
    announce,
    end,
    open_option,
    own_cluster_options,
    tls_of,
    token_of,
    wait,
)

if TYPE_CHECKING:
    import grpc

    from ..db.authority import Authority
    from ..db.store import Store

Start = Callable[["Store", "Authority | None"], "list[grpc.Server]"]
"""Starts all servers over a store, and prints their addresses."""


@click.command()
@click.option(
    "--port", type=PORT, default=6790, show_default=True, help="The port; 0 picks a free one."
)
@click.option("--plain-port", type=PORT, help="A further port without TLS; Katib uses 6789.")
@address_options
@click.option(
    "--cluster", is_flag=True, help="Identify callers as pods of the cluster in which it runs."
)
@click.option(
    "--operator-account",
    envvar="TUNEWRIGHT_OPERATOR_ACCOUNT",
    metavar="NAMESPACE:NAME",
    help="The service account of the operator; with --cluster.",
)
@click.option(
    "--config",
    envvar="TUNEWRIGHT_CONFIG",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The operator's settings file, for its namespaces; with --cluster.",
)
@open_option
@click.option(
    "--address",
    envvar="TUNEWRIGHT_METRICS",
    metavar="HOST:PORT",
    help="The address for early-stopping plug-ins, without TLS.  [default: on this machine]",
)
@click.option(
    "--observations-port",
    type=PORT,
    help="The port on which the API server fetches single values; with --cluster.",
)
@own_cluster_options
@store_option
def metrics(
    *,
    port: int,
    plain_port: int | None,
    host: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    token_file: Path | None,
    cluster: bool,
    operator_account: str | None,
    config: Path | None,
    is_open: bool,
    address: str | None,
    observations_port: int | None,
    kubeconfig: str | None,
    context: str | None,
    store: str | None,
) -> None:
    """Receive and return metrics, using the store.

    It waits for a database that is not up yet, and brings its schema to this version. With
    --cluster, a pod of a trial may report for its trial, and a pod may read its own namespace. A
    pod is identified by its token of the audience `tunewright`. Its address is used if it sends
    none, or if the settings name namespaces, because tokens cannot be reviewed then. The health
    service has "" (the process) and `tunewright.v1.Metrics` (the store behind it).

    Environment: TUNEWRIGHT_STORE, TUNEWRIGHT_STORE_PASSWORD (the database's, to keep it
    out of the command line), TUNEWRIGHT_HOME, TUNEWRIGHT_OPERATOR_ACCOUNT, TUNEWRIGHT_CONFIG,
    TUNEWRIGHT_OPEN, TUNEWRIGHT_METRICS (--address).

    \b
    Examples:
      tunewright serve metrics --port 6790
      tunewright serve metrics --host 0.0.0.0 --tls-cert tls.crt --tls-key tls.key \\
        --plain-port 6789 --cluster --operator-account tunewright:operator \\
        --store postgresql://tune@db/tune
    """
    from ..db.authority import Trusting
    from ..db.metrics_service import serve
    from . import compose

    tls, token = tls_of(tls_cert, tls_key), token_of(token_file)

    def start(opened: "Store", authority: "Authority | None") -> "list[grpc.Server]":
        places = [(port, tls), *([] if plain_port is None else [(plain_port, None)])]
        servers = []
        for number, secured in places:
            server, place = serve(
                opened, f"{host}:{number}", authority=authority, tls=secured, token=token
            )
            announce(place)
            servers.append(server)
        return servers

    user = _user(operator_account, token_file) if cluster else ""
    with compose.awaited(Place.of(store), metrics_address=address) as opened:
        if cluster:
            from ..controller.kube.config import read_config

            observations = None if observations_port is None else (host, observations_port)
            _serve_on_cluster(
                opened,
                start,
                user,
                kubeconfig=kubeconfig,
                context=context,
                observations=observations,
                namespaces=read_config(config).namespaces,
                is_open=is_open,
            )
        else:
            wait(*start(opened, Trusting() if is_open else None))


def _user(account: str | None, token_file: Path | None) -> str:
    """Return the operator's user name.

    Raises:
        Invalid: the options do not say who the operator is, or contradict each other.
    """
    from ..api.errors import Fault, Invalid

    namespace, _, name = (account or "").partition(":")
    if not namespace or not name:
        remedy = "e.g. --operator-account tunewright:operator"
        raise Invalid([Fault("--operator-account", "it names no NAMESPACE:NAME", remedy)])
    if token_file is not None:
        message = "with --cluster callers are known by their own tokens"
        raise Invalid([Fault("--token-file", message, "leave one of them out")])
    return f"system:serviceaccount:{namespace}:{name}"


def _serve_on_cluster(
    store: "Store",
    start: Start,
    operator: str,
    *,
    kubeconfig: str | None,
    context: str | None,
    observations: tuple[str, int] | None,
    namespaces: Sequence[str],
    is_open: bool,
) -> None:
    """Serve until interrupted."""
    import asyncio
    import random
    import signal
    import time

    from ..controller.kube import observations_api
    from ..controller.kube.client import connect
    from ..controller.kube.identity import PodAuthority
    from .alongside import alongside

    async def run() -> None:
        kube = await connect(kubeconfig=kubeconfig, context=context)
        authority = PodAuthority(
            kube,
            operator,
            namespaces=namespaces,
            is_open=is_open,
            clock=time.time,
            chance=random.random,
        )
        following = asyncio.create_task(authority.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, following.cancel)
        servers = start(store, authority)
        beside = []
        if observations is not None:
            beside.append(observations_api.serve(kube, store, *observations, clock=time.monotonic))
        try:
            async with alongside(*beside):
                await following
        except asyncio.CancelledError:
            pass  # it was told to end
        finally:
            # Not in the loop's thread: calls that still run need it to find out who calls.
            await asyncio.to_thread(end, *servers)
            await kube.close()

    asyncio.run(run())
