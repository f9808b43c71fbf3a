"""`tunewright metrics`: what trials reported."""

from collections.abc import Mapping, Sequence

import click

from ..api.errors import Unsupported
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options


@click.command()
@name_argument
@click.argument("trial", required=False)
@click.option("--metric", help="Only this one.")
@click.option("--log", "whole", is_flag=True, help="Every value, not only the summaries.")
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
    from ..api.compile import objective_of
    from ..sdk import shapes
    from ..sdk.names import best_of, check_metric, find_trial, resolve

    with where.opened() as source:
        records = source.records
        record, found = resolve(records, name, trial, source.namespace)
        if found is None:
            found = find_trial(records, record, str(best_of(record).index), observations=True)
        objective = objective_of(record.document)
        check_metric(record, found, metric)
        if whole:
            try:
                rows = [
                    {"time": s.time, "step": s.step, "metric": s.metric, "value": s.value}
                    for s in records.samples(record.uid, found.index, metric=metric)
                ]
            except Unsupported as error:
                if output != "table":
                    raise
                console.warn(f"{error}; what follows are the summaries")
            else:
                console.emit(rows, output, lambda: _log(rows))
                return
    shown = shapes.metrics(found.observation or {}, objective)
    shown = {key: value for key, value in shown.items() if metric in {None, key}}

    def show() -> None:
        console.table(
            ["metric", "value", "by", "step", "min", "max", "latest", "reports"],
            [
                [
                    key,
                    m["value"],
                    m["strategy"],
                    m["step"],
                    m["min"],
                    m["max"],
                    m["latest"],
                    m["count"],
                ]
                for key, m in shown.items()
            ],
        )

    console.emit({"trial": found.index, "metrics": shown}, output, show)


def _log(rows: Sequence[Mapping[str, object]]) -> None:
    console.table(
        ["at", "step", "metric", "value"],
        [[console.moment(float(str(r["time"]))), r["step"], r["metric"], r["value"]] for r in rows],
    )
