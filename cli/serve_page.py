"""`tunewright serve page`: the page of a cluster, for all its users."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..sdk.sources.where import Where
from .serving import PORT, announce, own_cluster_options

if TYPE_CHECKING:
    from ..ui.access import UserAccess


@click.command("page")
@click.option(
    "--port", type=PORT, default=8080, show_default=True, help="The port; 0 picks a free one."
)
@click.option("--host", default="0.0.0.0", show_default=True, help="The address to listen on.")  # noqa: S104 -- it serves a cluster, and asks who calls
@click.option(
    "--base-path",
    default="/",
    show_default=True,
    help="The prefix of all paths, behind a proxy that also serves others.",
)
@click.option(
    "--user-header",
    metavar="NAME",
    help="The header in which a proxy names the user, such as kubeflow-userid. Callers that bypass"
    " the proxy can pose as any user, so make sure that none can.",
)
@click.option(
    "--user-prefix", default="", metavar="TEXT", help="A prefix to remove from the user's name."
)
@click.option(
    "--groups-header",
    metavar="NAME",
    help="The header of the user's groups, separated by commas, such as kubeflow-groups.",
)
@own_cluster_options
def page(
    *,
    port: int,
    host: str,
    base_path: str,
    user_header: str | None,
    user_prefix: str,
    groups_header: str | None,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Serve the page of a cluster to all its users.

    Each user sees and does what that user is allowed to.

    A caller is identified by a bearer token of the API server or, with --user-header, by a header
    that a proxy sets. A request is carried out with the page's own account, if a
    SubjectAccessReview allows it to the user. /healthz answers everybody. (`tunewright ui
    --cluster` is the page of one person, with that person's kubeconfig.)

    \b
    Examples:
      tunewright serve page
      tunewright serve page --base-path /tunewright/ --user-header kubeflow-userid
    """
    import time

    from ..api.errors import Fault, Invalid
    from .page import listening, serve

    if user_header is None and (user_prefix or groups_header):
        named = "--user-prefix" if user_prefix else "--groups-header"
        raise Invalid([Fault(named, "no proxy is believed", "name its --user-header")])
    where = Where(context=context, kubeconfig=kubeconfig, is_cluster=True)
    source = where.reached()
    source.namespace = None  # of all, to each user those that the user may see

    def access() -> "UserAccess":
        from ..ui.access import Proxy, UserAccess

        proxy = Proxy(user_header, user_prefix, groups_header) if user_header else None
        return UserAccess(source.session.create, proxy, time.monotonic)

    base = "/" + base_path.strip("/") if base_path.strip("/") else ""
    with listening(host, port) as wire:
        announce(f"http://{host}:{wire.getsockname()[1]}{base}/")
        serve(wire, source, where, access, base, workdir=Path.cwd())
