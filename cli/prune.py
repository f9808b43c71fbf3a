"""`tunewright prune`."""

import time
from collections.abc import Collection, Iterator
from pathlib import Path

import click

from ..api.words import counted
from ..db.records import ExperimentRecord
from ..db.store import Store
from ..sdk.sources.place import Place, cannot_be_removed, folder_size, remove_folder
from . import console
from .complete import experiment_names
from .options import store_options


@click.command()
@click.argument("name", required=False, shell_complete=experiment_names)
@click.option(
    "--older-than", default="0", help="Only of trials that ended at least this long ago (2d)."
)
@click.option(
    "--keep-best/--no-keep-best",
    default=True,
    help="Keep those of the best trials of each experiment.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@store_options
def prune(
    name: str | None,
    older_than: str,
    keep_best: bool,
    dry_run: bool,
    store: str | None,
    namespace: str | None,
) -> int:
    """Remove the directories (logs, files) of finished trials; results stay in the store.

    \b
    Examples:
      tunewright prune --older-than 7d --dry-run
      tunewright prune digits --no-keep-best
    """
    from ..api.durations import parse_duration
    from ..sdk.names import find_experiment

    try:
        age = parse_duration(older_than)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from error
    place = Place.of(store)
    freed = count = 0
    stay: list[Path] = []
    with place.opened() as opened:
        if name is not None:
            records = [find_experiment(opened, name, namespace)]
        else:
            records = [opened.experiment(r.key) for r in opened.experiments(namespace=namespace)]
        before = time.time() - age
        for record in records:
            kept = {trial.name for trial in record.best} if keep_best else set()
            for folder in _ended(place, opened, record, before, kept):
                held = folder_size(folder)
                if not dry_run and not remove_folder(folder):
                    stay.append(folder)
                    continue
                freed += held
                count += 1
    verb = "would free" if dry_run else "freed"
    console.note(f"{counted(count, 'directory')}: {verb} {console.size(freed)}.")
    if stay:
        console.warn(cannot_be_removed(stay))
    return 1 if stay else 0


def _ended(
    place: Place, store: Store, record: ExperimentRecord, before: float, kept: Collection[str]
) -> Iterator[Path]:
    """Yield the directories of trials that ended before a time, but for those that are kept."""
    for trial in store.trials(record.uid):
        if trial.finished_at is None or trial.finished_at > before or trial.name in kept:
            continue
        folder = place.trial_folder(record.key, trial.name)
        if folder.exists():
            yield folder
