"""`tunewright migrate`: from Katib to Tunewright, and back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..api.errors import Fault, Invalid
from . import console

if TYPE_CHECKING:
    from ..controller.kube.migration import Survey


@click.group()
def migrate() -> None:
    """Take over a cluster from Katib, or give it back.

    \b
    Examples:
      tunewright migrate katib
      tunewright migrate katib --apply
      tunewright migrate katib --back
    """


@migrate.command()
@click.option("--apply", "applies", is_flag=True, help="Do it, instead of only showing it.")
@click.option("--back", is_flag=True, help="Give the cluster back to Katib.")
@click.option("--anew", is_flag=True, help="Let unfinished experiments start over.")
@click.option(
    "--kubeconfig", metavar="FILE", help="The kubeconfig of the cluster.  [default: $KUBECONFIG]"
)
@click.option("--context", help="The context in the kubeconfig.")
def katib(
    *, applies: bool, back: bool, anew: bool, kubeconfig: str | None, context: str | None
) -> None:
    """Take over a cluster from Katib.

    Without options it shows what is there and what would be done; --apply does it.
    Katib's controller is scaled to 0, its webhook configurations are saved and removed, and
    objects that only its finalizers hold are released. Experiments, trials and its database stay
    as they are. --back undoes this.

    \b
    Examples:
      tunewright migrate katib
      tunewright migrate katib --apply
      tunewright migrate katib --back
    """
    from ..controller.kube.migration import steps_back, steps_over, survey
    from ..controller.kube.session import Context, connect

    if applies and back:
        raise Invalid([Fault("--back", "is the way back", "leave --apply out")])
    session = connect(Context(kubeconfig, context))
    there = survey(session)
    for line in there.lines():
        click.echo(line)
    takes = applies or back
    if takes:
        _check(there, back=back, anew=anew)
    steps = list(steps_back(session, there) if back else steps_over(session, there))
    for step in steps:
        click.echo(step.said if takes else f"would {step.said}")
        if takes:
            step.take()
    if not steps:
        console.note("There is nothing to do.")
    if not back:
        for line in _by_hand(there):
            console.note(line)


def _check(there: "Survey", *, back: bool, anew: bool) -> None:
    """Refuse what would have two controllers act on one experiment, or lose work unasked.

    Raises:
        Invalid: with the remedy.
    """
    if back and there.operators:
        metadata = there.operators[0]["metadata"]
        where, name = metadata["namespace"], metadata["name"]
        remedy = f"kubectl -n {where} scale deployment {name} --replicas=0"
        raise Invalid([Fault("--back", f"our operator runs: {where}/{name}", remedy)])
    if not back and there.unfinished and not anew:
        said = f"unfinished experiments would start over here: {there.unfinished}"
        raise Invalid([Fault("--apply", said, "wait until they end, or add --anew")])


def _by_hand(there: "Survey") -> Iterator[str]:
    """Say what is left to do: what needs files of ours, or a password."""
    yield "Then: kubectl apply --server-side --force-conflicts -k deploy/crds"
    for each in there.databases:
        kind, name = each["metadata"]["name"].removeprefix("katib-"), each["metadata"]["name"]
        where = each["metadata"]["namespace"]
        yield f"Then: tunewright db import-katib {kind}://USER@{name}.{where}/katib"
