"""`tunewright db`: the store itself."""

import click

from .options import store_options
from .place import Place


@click.group()
def db() -> None:
    """Look after the store.

    \b
    Examples:
      tunewright db upgrade
      tunewright db upgrade --store postgresql+psycopg://tune@db/tune
    """


@db.command()
@store_options
def upgrade(store: str | None, namespace: str | None) -> None:
    """Bring the store's schema to this version; under a lock, once.

    \b
    Examples:
      tunewright db upgrade
    """
    del namespace
    place = Place.of(store)
    with place.opened():
        click.echo(f"{place} has the schema of this version.")
