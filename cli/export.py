"""`tunewright export`: all trials as a table for other programs, or as runs of MLflow."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import click

from ..api.errors import Fault, Invalid
from ..api.objective import Objective
from ..api.words import counted
from ..controller.reading import Records
from ..db.records import ExperimentRecord
from ..sdk.plain import plain
from ..sdk.sources.where import Where
from . import console
from .options import client_of, name_argument, where_options

_PAGE = 2000
_BEYOND = 2**63
_FORMATS = ("csv", "json", "parquet")
_FIXED = (
    *("index", "name", "state", "reason", "value", "dropped", "attempt", "retries", "exit_code"),
    *("created_at", "started_at", "finished_at", "wall_seconds", "cpu_seconds"),
    *("peak_memory_bytes", "device_seconds"),
)


@click.command()
@name_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    help="The format.  [default: by the file's ending, else csv]",
)
@click.option(
    "--output-file",
    "-f",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option(
    "--to", "service", type=click.Choice(["mlflow"]), help="Create a run for each trial there."
)
@click.option(
    "--tracking-uri", metavar="URI", help="The address of MLflow.  [default: MLflow's own]"
)
@where_options
def export(
    name: str,
    kind: str | None,
    output_file: Path | None,
    service: str | None,
    tracking_uri: str | None,
    where: Where,
) -> None:
    """Write one row per trial: its state, parameters (`param.…`) and metrics (`metric.…`).

    Times are seconds since the epoch. With `--to mlflow`, each finished trial becomes a run
    there instead; exporting again adds the trials that have finished since.

    \b
    Examples:
      tunewright export digits > digits.csv
      tunewright export digits --format json
      tunewright export digits -f digits.parquet
      tunewright export digits --to mlflow --tracking-uri http://mlflow:5000
    """
    if service is None and tracking_uri is None:
        _write_table(name, kind, output_file, where)
        return
    if service is None:
        raise Invalid([Fault("--tracking-uri", "nothing is exported there", "add --to mlflow")])
    if kind is not None or output_file is not None:
        remedy = "leave --format and --output-file out"
        raise Invalid([Fault("--to mlflow", "it writes runs, not a table", remedy)])
    _write_runs(name, tracking_uri, where)


def _write_runs(name: str, tracking_uri: str | None, where: Where) -> None:
    from ..sdk.commands import CommandFailed
    from ..sdk.integrations import mlflow

    with client_of(where) as client:
        try:
            count = mlflow.export(client, name, tracking_uri=tracking_uri)
        except mlflow.MlflowException as error:
            raise CommandFailed(f"MLflow says: {error}") from error
    console.note(f"{counted(count, 'new run')} in MLflow, of the experiment {name}")


def _write_table(name: str, kind: str | None, output_file: Path | None, where: Where) -> None:
    from ..api.excerpts import objective_of
    from ..sdk.names import find_experiment

    kind = kind or _format_of(output_file)
    if kind == "parquet" and output_file is None:
        raise Invalid(
            [Fault("--format parquet", "it needs a file", "add --output-file NAME.parquet")]
        )
    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        objective = objective_of(record.document)
        columns = _columns(_parameters(source.records, record), objective)
        rows = _rows(source.records, record, objective)
        if kind == "parquet":
            assert output_file is not None
            _parquet(output_file, columns, rows)
        elif output_file is None:
            _text(kind, columns, rows, sys.stdout)
        else:
            with output_file.open("w", encoding="utf-8", newline="") as stream:
                _text(kind, columns, rows, stream)
    if output_file is not None:
        console.note(f"{counted(record.totals.proposed, 'trial')} in {output_file}")


def _format_of(file: Path | None) -> str:
    """Return the format that a file's ending names."""
    ending = file.suffix.lstrip(".").lower() if file else ""
    if ending and ending not in _FORMATS:
        remedy = f"end it with {', '.join(f'.{each}' for each in _FORMATS)}, or say --format"
        raise Invalid([Fault("--output-file", f".{ending} is not a format", remedy)])
    return ending or "csv"


def _parameters(records: Records, record: ExperimentRecord) -> Sequence[str]:
    """Name what a point has; of an architecture its trials know, and no file says it."""
    named = [str(item["name"]) for item in record.document["spec"].get("parameters") or ()]
    points = [] if named else [each.proposal.point for each in records.trials(record.uid, limit=1)]
    return named or [name for point in points for name in point]


def _columns(parameters: Sequence[str], objective: Objective) -> list[str]:
    return [
        *_FIXED,
        *(f"param.{name}" for name in parameters),
        *(f"metric.{name}" for name in objective.metric_names),
    ]


def _rows(
    records: Records, record: ExperimentRecord, objective: Objective
) -> Iterator[dict[str, Any]]:
    """Yield a row a trial, a page at a time: an experiment of any size fits the memory."""
    from ..sdk import shapes

    after = -1
    while page := records.trials(record.uid, after=after, limit=_PAGE, observations=True):
        for trial in page:
            shape = shapes.trial(trial, objective)
            metrics = {name: metric["value"] for name, metric in shape["metrics"].items()}
            yield {
                **{name: shape[name] for name in _FIXED},
                **{f"param.{name}": value for name, value in shape["parameters"].items()},
                **{f"metric.{name}": metrics.get(name) for name in objective.metric_names},
            }
        after = page[-1].index


def _text(
    kind: str, columns: Sequence[str], rows: Iterator[dict[str, Any]], stream: IO[str]
) -> None:
    if kind == "csv":
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    stream.write("[")
    for place, row in enumerate(rows):
        stream.write(",\n " if place else "\n ")
        stream.write(json.dumps(plain(row), ensure_ascii=False, allow_nan=False))
    stream.write("\n]\n")


def _parquet(path: Path, columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> None:
    from ..api.errors import MissingExtra

    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("export --format parquet", "parquet") from error
    held = list(rows)
    table = pa.table({name: pa.array(_sized([row.get(name) for row in held])) for name in columns})
    pq.write_table(table, path)


def _sized(values: list[Any]) -> list[Any]:
    """Return a column as Parquet can hold it: of whole numbers beyond 64 bits as floats."""
    if not any(isinstance(value, int) and abs(value) >= _BEYOND for value in values):
        return values
    return [None if value is None else float(value) for value in values]
