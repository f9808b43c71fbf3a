"""`tunewright db`: the store itself."""

from typing import TYPE_CHECKING

import click

from ..sdk.sources.place import Place, with_password
from . import console
from .options import store_option

if TYPE_CHECKING:
    from ..db.katib_import import Imported

_PROGRESS = 100


@click.group()
def db() -> None:
    """Upgrade the store, or import into it.

    \b
    Examples:
      tunewright db upgrade
      tunewright db upgrade --store postgresql+psycopg://tune@db/tune
      tunewright db import-katib mysql://katib@katib-mysql.kubeflow/katib
    """


@db.command()
@store_option
def upgrade(store: str | None) -> None:
    """Upgrade the store's schema to this version.

    A lock ensures that only one process does it.

    \b
    Examples:
      tunewright db upgrade
    """
    place = Place.of(store)
    with place.opened():
        click.echo(f"{place} has the schema of this version.")


@db.command("import-katib")
@click.argument("url", envvar="TUNEWRIGHT_KATIB")
@store_option
def import_katib(url: str, store: str | None) -> None:
    """Import Katib's observation logs.

    Only rows of trials that the store knows are imported.

    URL is Katib's database, on MySQL or PostgreSQL; TUNEWRIGHT_KATIB_PASSWORD
    holds its password. That database is not changed, and rows that were imported before are left
    as they are.

    \b
    Examples:
      tunewright db import-katib mysql://katib@katib-mysql.kubeflow/katib
    """
    import time

    from ..db.katib_import import import_katib

    def show(done: "Imported") -> None:
        if (done.trials + done.unknown) % _PROGRESS == 0:
            console.note(f"trials: {done.trials:,}, rows: {done.rows:,} …")

    place = Place.of(store)
    with place.opened() as opened:
        katib = with_password(url, "TUNEWRIGHT_KATIB_PASSWORD")
        done = import_katib(opened, katib, now=time.time(), on_progress=show)
    click.echo(f"trials: {done.trials:,}, rows: {done.rows:,}, now in {place}")
    if done.unknown:
        console.note(f"trials that {place} does not know, left out: {done.unknown:,}")
