"""`tunewright metrics`: what trials reported."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..api.errors import Unsupported
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options


@click.command()
@name_argument
@click.argument("trial", required=False)
@click.option("--metric", help="Only this metric.")
@click.option("--log", "whole", is_flag=True, help="Show every value, not only the summaries.")
@where_options
@output_option
def metrics(
    name: str,
    trial: str | None,
    metric: str | None,
    whole: bool,
    where: Where,
    output: str,
) -> None:
    """Show the metrics of a trial (index, name, `best`, `last`), by default of the best.

    \b
    Examples:
      tunewright metrics digits
      tunewright metrics digits 3 --log --metric loss
      tunewright metrics digits best -o json
    """
    from ..api.excerpts import objective_of
    from ..sdk import shapes
    from ..sdk.names import best_of, check_metric, find_trial, resolve

    with where.opened() as source:
        records = source.records
        record, found = resolve(records, name, trial, source.namespace)
        if found is None:
            found = find_trial(records, record, str(best_of(record).index), observations=True)
        objective = objective_of(record.document)
        check_metric(record, found, metric)
        if whole and (rows := _samples(records, record, found, metric, output)) is not None:
            console.emit(rows, output, lambda: _log(rows))
            return
    shown = shapes.metrics(found.observation or {}, objective)
    shown = {key: value for key, value in shown.items() if metric in {None, key}}
    data = {"trial": found.index, "metrics": shown}
    console.emit(data, output, lambda: show_summaries(shown))


def _samples(
    records: Records, record: ExperimentRecord, trial: TrialRecord, metric: str | None, output: str
) -> Sequence[Mapping[str, Any]] | None:
    """Return every value of a trial; None, with a warning, where they are not at hand here."""
    try:
        return [
            {"time": each.time, "step": each.step, "metric": each.metric, "value": each.value}
            for each in records.samples(record.uid, trial.index, metric=metric)
        ]
    except Unsupported as error:
        if output != "table":
            raise
        console.warn(f"{error}; what follows are the summaries")
        return None


def show_summaries(shown: Mapping[str, Mapping[str, object]]) -> None:
    """Print a table of metrics, as `sdk.shapes.metrics` returns them."""
    columns = ("value", "strategy", "step", "min", "max", "latest", "count")
    console.table(
        ["metric", "value", "by", "step", "min", "max", "latest", "reports"],
        [[name, *(each[column] for column in columns)] for name, each in shown.items()],
    )


def _log(rows: Sequence[Mapping[str, Any]]) -> None:
    console.table(
        ["at", "step", "metric", "value"],
        [[console.moment(r["time"]), r["step"], r["metric"], r["value"]] for r in rows],
    )
