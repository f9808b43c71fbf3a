"""`tunewright get`: the experiments of the store."""

import time

import click

from . import console, shapes
from .complete import experiment_names
from .options import output_option, store_options
from .place import Place


@click.command()
@click.argument("name", required=False, shell_complete=experiment_names)
@store_options
@output_option
def get(name: str | None, store: str | None, namespace: str | None, output: str) -> None:
    """List experiments, newest first, or show one.

    \b
    Examples:
      tunewright get
      tunewright get digits -o yaml
      tunewright get -n vision -o json
    """
    from .names import find_experiment

    place = Place.of(store)
    with place.opened() as opened:
        if name is not None:
            records = [find_experiment(opened, name, namespace)]
        else:
            found = opened.experiments(namespace=namespace)
            records = [opened.experiment(record.key) for record in found]
    data = [
        {
            **shapes.experiment(record),
            "occupies_bytes": place.occupied(record.key),
            "store": str(place),
        }
        for record in records
    ]
    console.emit(data[0] if name else data, output, lambda: _table(data, place))


def _table(data: list[dict[str, object]], place: "Place") -> None:
    if not data:
        console.note(f"No experiments in {place}. `tunewright init` writes a first one.")
        return
    now = time.time()
    console.table(
        ["name", "namespace", "state", "trials", "best", "metric", "age", "on disk"],
        [_row(item, now) for item in data],
    )
    console.note(f"\nstore: {place}")


def _row(item: dict[str, object], now: float) -> list[object]:
    trials, best, objective = item["trials"], item["best"], item["objective"]
    assert isinstance(trials, dict)
    assert isinstance(objective, dict)
    state = f"{item['state']} (paused)" if item["suspended"] else item["state"]
    created, occupied = item["created_at"], item["occupies_bytes"]
    assert isinstance(created, float)
    assert isinstance(occupied, int)
    return [
        item["name"],
        item["namespace"],
        state,
        f"{trials['finished']}/{item['max_trials'] or '∞'}",
        console.number(best["value"]) if isinstance(best, dict) else None,
        objective["metric"],
        console.duration(now - created),
        console.size(occupied),
    ]
