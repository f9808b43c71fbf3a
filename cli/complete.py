"""Completion of names and files. A shell waits for it: it never fails, and creates no store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


def experiment_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the experiments of the store or cluster that the options typed so far name."""
    del param
    return experiments(ctx.params, incomplete)


def experiments(given: Mapping[str, Any], incomplete: str) -> list[CompletionItem]:
    """Offer the experiments of a store or cluster, by `name` or `namespace/name`."""
    try:
        return _names(given, incomplete)
    except Exception:  # noqa: BLE001 - whatever is wrong, the command that is being typed says it
        return []


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a file, although the argument may be another word as well."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def _names(given: Mapping[str, Any], incomplete: str) -> list[CompletionItem]:
    from ..sdk.sources.where import Where

    where = Where(
        given.get("store"),
        given.get("namespace"),
        context=given.get("context"),
        kubeconfig=given.get("kubeconfig"),
        is_cluster=any(given.get(name) for name in ("cluster", "context", "kubeconfig")),
    )
    store = where.place.store
    if not where.is_cluster and isinstance(store, Path) and not store.exists():
        return []
    space, slash, begun = incomplete.rpartition("/")
    with where.opened() as source:
        return [
            CompletionItem(
                f"{space}{slash}{record.key.name}",
                help=f"{record.state} in {record.key.namespace}",
            )
            for record in source.records.experiments(namespace=space or source.namespace)
            if record.key.name.startswith(begun)
        ]
