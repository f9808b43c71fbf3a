"""What a collector finds in a sample of output."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from ..api.errors import Fault, Invalid
from ..api.excerpts import objective_of
from ..api.experiment import Experiment
from ..api.observation import Observation, summarize
from ..metrics_collector.collection import Collection
from ..metrics_collector.spec import CollectorKind, collector_spec
from . import console


def try_log(experiments: Iterable[Experiment], sample: Path) -> None:
    """Print the metrics that each finds in a file of output; `-` is what is piped in.

    Raises:
        Invalid: the file cannot be read, or an objective is not in it.
    """
    is_piped = str(sample) == "-"
    try:
        data = sys.stdin.buffer.read() if is_piped else sample.read_bytes()
    except OSError as error:
        raise Invalid([Fault("--log", f"{sample} cannot be read: {error.strerror}")]) from error
    for experiment in experiments:
        _try(experiment, data, "what was piped in" if is_piped else str(sample))


def _try(experiment: Experiment, data: bytes, said: str) -> None:
    document = experiment.write()
    objective = objective_of(document)
    written = document["spec"].get("metricsCollectorSpec")
    spec = replace(collector_spec(written), kind=CollectorKind.STDOUT)
    collection = Collection(spec, objective.metric_names)
    found = asyncio.run(_collected(collection, data))
    console.table(["metric", "values", "range"], _rows(objective.metric_names, found))
    if objective.metric.name not in found:
        seen = ", ".join(collection.seen)
        remedy = f"seen with a number: {seen}" if seen else "print it as name=value"
        message = f"{objective.metric.name} is not in {said}"
        raise Invalid([Fault("objective.objectiveMetricName", message, remedy)])
    click.echo("The objective was found.")


async def _collected(collection: Collection, data: bytes) -> Observation:
    samples = collection.feed("stdout", data, 0.0)
    return summarize([*samples, *await collection.finish(0.0)])


def _rows(names: Sequence[str], found: Observation) -> Iterator[Sequence[object]]:
    for name in names:
        if (summary := found.get(name)) is None:
            yield name, 0, "-"
            continue
        ends = {"min": summary.min, "max": summary.max, "latest": summary.latest}
        span = ", ".join(f"{end} {console.number(value)}" for end, value in ends.items())
        yield name, summary.count, span
