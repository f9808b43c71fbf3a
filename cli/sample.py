"""What a collector finds in a sample of output."""

from pathlib import Path

import click

from ..api.errors import Fault, Invalid
from ..api.excerpts import objective_of
from ..api.experiment import Experiment
from ..api.observation import summarize
from ..metrics_collector.collection import Collection
from ..metrics_collector.spec import CollectorKind, CollectorSpec, collector_spec
from . import console


def try_log(experiment: Experiment, sample: Path) -> None:
    """Print the metrics that are found in a file of output.

    Raises:
        Invalid: the file cannot be read, or the objective is not in it.
    """
    from dataclasses import replace

    try:
        data = sample.read_bytes()
    except OSError as error:
        raise Invalid([Fault("--log", f"{sample} cannot be read: {error.strerror}")]) from error
    document = experiment.write()
    compiled = objective_of(document)
    written = document["spec"].get("metricsCollectorSpec")
    spec: CollectorSpec = replace(collector_spec(written), kind=CollectorKind.STDOUT)
    collection = Collection(spec, compiled.metric_names)
    samples = collection.feed("stdout", data, 0.0)
    import asyncio

    samples += asyncio.run(collection.finish(0.0))
    found = summarize(samples)
    rows = [
        [name, found[name].count if name in found else 0, *_ends(found.get(name))]
        for name in compiled.metric_names
    ]
    console.table(["metric", "values", "range"], [[r[0], r[1], r[2]] for r in rows])
    if compiled.metric.name not in found:
        seen = ", ".join(collection.seen)
        remedy = f"seen with a number: {seen}" if seen else "print it as name=value"
        raise Invalid(
            [
                Fault(
                    "objective.objectiveMetricName",
                    f"{compiled.metric.name} is not in {sample}",
                    remedy,
                )
            ]
        )
    click.echo("The objective was found.")


def _ends(summary: object) -> list[str]:
    from ..api.observation import Summary

    if not isinstance(summary, Summary):
        return ["-"]
    ends = {"min": summary.min, "max": summary.max, "latest": summary.latest}
    return [", ".join(f"{name} {console.number(value)}" for name, value in ends.items())]
