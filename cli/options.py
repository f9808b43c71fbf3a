"""Options that several commands share."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ..api.errors import Fault, Invalid
from ..db.records import ExperimentRecord
from ..sdk.sources.place import Place
from ..sdk.sources.source import Hands
from ..sdk.sources.where import Where
from .complete import experiment_names, files
from .console import note

if TYPE_CHECKING:
    from ..sdk.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])


store_option = click.option(
    "--store",
    envvar="TUNEWRIGHT_STORE",
    metavar="FILE|URL",
    shell_complete=files,
    help="The store.  [default: store.db in $TUNEWRIGHT_HOME]",
)


def _carry_out(place: Place, record: ExperimentRecord) -> None:
    from .drive import drive_quietly

    drive_quietly(place, record)


def early_stopping_option(text: str) -> Callable[[_Command], _Command]:
    """Add `--early-stopping`: rules are meant, not algorithms; `text` says for what."""
    return click.option("--early-stopping", is_flag=True, help=text)


def store_options(command: _Command) -> _Command:
    """Add where the store is: `--store` and `--namespace`."""
    return store_option(_namespace_option("any namespace")(command))


def _namespace_option(default: str) -> Callable[[_Command], _Command]:
    text = f"Look in this namespace only.  [default: {default}]"
    return click.option("-n", "--namespace", help=text)


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add where experiments are, a store or a cluster; the command is given it as `where`."""

    @wraps(command)
    def told(
        *,
        store: str | None,
        namespace: str | None,
        cluster: bool,
        context: str | None,
        kubeconfig: str | None,
        **given: Any,
    ) -> Any:
        named = Where(store, namespace, context, kubeconfig, cluster, Hands(note, _carry_out))
        return command(where=_settled(named), **given)

    added = _namespace_option("any namespace; on a cluster, that of the context")(told)
    added = store_option(added)
    for option in (
        click.option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig of the cluster.  [default: $KUBECONFIG]",
        ),
        click.option("--context", help="The context in the kubeconfig."),
        click.option(
            "--cluster/--local",
            envvar="TUNEWRIGHT_CLUSTER",
            help="Use the cluster of the kubeconfig, or this machine.",
        ),
    ):
        added = option(added)
    return added


def _settled(named: Where) -> Where:
    """Let what was typed win over the environment; a context or a kubeconfig names a cluster.

    Raises:
        Invalid: a store and a cluster were typed.
    """
    asked = click.get_current_context().get_parameter_source
    typed = {name for name in ("store", "cluster") if asked(name) is ParameterSource.COMMANDLINE}
    means_cluster = named.is_cluster and "cluster" in typed
    means_cluster |= named.context is not None or named.kubeconfig is not None
    if means_cluster and "store" in typed:
        raise Invalid([Fault("--store", "a cluster has no store", "leave it out, or --cluster")])
    return replace(named, is_cluster=means_cluster or (named.is_cluster and "store" not in typed))


def client_of(where: Where) -> "Client":
    """Return the SDK's client of a place."""
    from ..sdk.client import Client

    if not where.is_cluster:
        return Client(store=where.place.option, namespace=where.namespace)
    return Client(
        cluster=where.context or True, kubeconfig=where.kubeconfig, namespace=where.namespace
    )


def _output_option(*more: str) -> Callable[[_Command], _Command]:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", *more, "json", "yaml"]),
        default="table",
        help="The output format.",
    )


output_option = _output_option()
wide_output_option = _output_option("wide")

name_argument = click.argument("name", shell_complete=experiment_names)

set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="The value of a parameter; the others get the middle of their range.",
)
