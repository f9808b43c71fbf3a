"""`tunewright get`: the experiments of a store, or of a cluster."""

import time
from collections.abc import Sequence
from typing import Any

import click

from ..db.records import ExperimentRecord
from ..sdk import shapes
from ..sdk.sources.where import Where
from . import console
from .complete import experiment_names
from .options import where_options, wide_output_option


@click.command()
@click.argument("name", required=False, shell_complete=experiment_names)
@where_options
@wide_output_option
@click.option(
    "-l", "--label", "labels", metavar="NAME=VALUE,…", help="Only experiments with these labels."
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
def get(name: str | None, labels: str | None, everywhere: bool, where: Where, output: str) -> None:
    """List experiments, newest first, or show one.

    \b
    Examples:
      tunewright get
      tunewright get digits -o yaml
      tunewright get -n vision -o json
      tunewright get -l team=vision
      tunewright get --cluster -A -o wide
    """
    from ..api.remarks import wanted_labels
    from ..db.listing import EVERY, Query
    from ..sdk.names import find_experiment
    from ..sdk.sources.waiting import is_interrupted

    with where.opened() as source:
        namespace = None if everywhere else source.namespace
        if name is not None:
            records: Sequence[ExperimentRecord] = [find_experiment(source.records, name, namespace)]
        else:
            query = Query(namespace, labels=wanted_labels(labels or ""), limit=EVERY)
            records = source.records.find_experiments(query).records
        data = [
            {
                **shapes.experiment(record),
                "interrupted": is_interrupted(source, record),
                **source.whereabouts(record),
            }
            for record in records
        ]
        said = str(source)
    asked = _asked(labels, None if everywhere else where.namespace)
    console.emit(
        data[0] if name else data, output, lambda: _table(data, said, asked, wide=output == "wide")
    )


def _asked(labels: str | None, namespace: str | None) -> str:
    """Return the options that leave experiments out, as they were typed."""
    given = (("-l", labels), ("-n", namespace))
    return " ".join(f"{option} {value}" for option, value in given if value)


def _table(data: list[dict[str, Any]], source: str, asked: str, *, wide: bool) -> None:
    if not data and asked:
        console.note(f"No experiment is of {asked} ({source}).")
        return
    if not data:
        console.note(f"No experiments ({source}). `tunewright init` writes a first one.")
        return
    now = time.time()
    rows = [_row(item, now, wide=wide) for item in data]
    console.table(list(rows[0]), [list(row.values()) for row in rows])
    console.note(f"\n{source}")


def _row(item: dict[str, Any], now: float, *, wide: bool) -> dict[str, object]:
    trials, best = item["trials"], item["best"]
    row = {
        "name": item["name"],
        "namespace": item["namespace"],
        "state": console.state(item),
        "trials": f"{trials['finished']}/{item['max_trials'] or '∞'}",
        "best": best and best["value"],
        "metric": item["objective"]["metric"],
        "age": console.duration(now - item["created_at"]),
    }
    if "occupies_bytes" in item:
        row["on disk"] = console.size(item["occupies_bytes"])
    if wide:
        row |= {
            "running": trials.get("Running"),
            "failed": trials.get("Failed"),
            "algorithm": item["algorithm"],
            "best trial": None if best is None else best["name"],
            "message": item["message"],
        }
    return row
