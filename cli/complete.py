"""Completion of names. It never fails and never makes a store: a shell is waiting."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem


def experiment_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the experiments of the store that the line names so far."""
    del param
    try:
        return _names(ctx.params.get("store"), incomplete)
    except Exception:  # noqa: BLE001 - whatever is wrong, the next command says it better
        return []


def _names(place: str | None, incomplete: str) -> list[CompletionItem]:
    from .place import Place

    target = Place.of(place)
    if isinstance(target.store, Path) and not target.store.exists():
        return []
    with target.opened() as store:
        return [
            CompletionItem(record.key.name, help=f"{record.state} in {record.key.namespace}")
            for record in store.experiments()
            if record.key.name.startswith(incomplete)
        ]
