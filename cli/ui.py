"""`tunewright ui`: the page."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..sdk.sources.where import Where
from . import console
from .options import where_options
from .serving import PORT

if TYPE_CHECKING:
    from .page import Address


@click.command()
@click.option("--port", type=PORT, help="The port.  [default: 8765, or the next free one]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A further host name that browsers may use.",
)
@click.option(
    "--token", envvar="TUNEWRIGHT_UI_TOKEN", help="The token.  [default: a new one each time]"
)
@click.option("--open/--no-open", "opens", default=None, help="Open a browser.")
@where_options
def ui(
    port: int | None,
    host: str,
    names: tuple[str, ...],
    token: str | None,
    opens: bool | None,
    where: Where,
) -> None:
    """Serve a page that shows experiments live, and starts and stops them.

    By default it listens on this machine only. To open it, you need the token in the printed
    address.

    \b
    Examples:
      tunewright ui
      tunewright ui --port 9000 --no-open
      tunewright ui --cluster --context production
    """
    from .page import Address, listening, owner_alone, serve

    with listening(host, port) as wire, where.opened(makes=True) as source:
        address = Address.of(wire, host, token)
        _announce(address, source=str(source))
        if opens or (opens is None and _has_screen()):
            click.launch(address.url)
        serve(wire, source, where, lambda: owner_alone(address, names), workdir=Path.cwd())


def _announce(address: "Address", *, source: str) -> None:
    console.note(f"{source}. Ctrl-C ends the page; experiments keep running.")
    for line in _over_ssh(address.port):
        console.note(line)
    click.echo(f"The page is at {address.url}")


def _over_ssh(port: int) -> Sequence[str]:
    """Say how a page of this machine is reached from where somebody came by SSH."""
    there = os.environ.get("SSH_CONNECTION", "").split()
    if len(there) != 4:
        return ()
    user = os.environ.get("USER", "")
    return (f"From your own machine first: ssh -L {port}:127.0.0.1:{port} {user}@{there[2]}",)


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
