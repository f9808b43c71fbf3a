"""`tunewright validate`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..api.errors import Fault, Invalid
from ..api.words import counted
from ..sdk.sources.where import Where
from . import console
from .options import output_option, where_options

if TYPE_CHECKING:
    from ..api.documents import Bundle
    from ..api.experiment import Experiment


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(readable=False, path_type=Path),  # `load` says what cannot be read
)
@click.option(
    "--for",
    "world",
    type=click.Choice(["laptop", "cluster"]),
    help="Also report what would differ there.",
)
@click.option(
    "--log",
    "sample",
    type=click.Path(path_type=Path),
    help="A sample of output (- reads a pipe); report the metrics in it.",
)
@where_options
@output_option
def validate(
    files: tuple[Path, ...], world: str | None, sample: Path | None, where: Where, output: str
) -> int:
    """Check files, and report every fault with its line and remedy.

    With --cluster, the API server is asked, too, but nothing is created. The experiments that
    warmStartFrom names are looked up in the store or on the cluster.

    \b
    Examples:
      tunewright validate experiment.yaml
      tunewright validate experiment.yaml --for laptop
      tunewright validate experiment.yaml --log train.log
      tunewright validate experiment.yaml --cluster
    """
    from ..api.documents import load

    _check_piped(files, sample)
    if where.is_cluster:
        world = "cluster"
    try:
        bundle = load(files, elsewhere=world == "cluster")
        for experiment in bundle.experiments:
            for remark in _remarks(experiment, bundle, world, where):
                console.warn(remark)
        if where.is_cluster:
            from ..sdk.submit_there import try_out

            try_out(where.reached(), (each.write() for each in bundle.experiments))
    except Invalid as error:
        if output == "table":
            raise
        _show((), error.faults, output)
        return 2
    _show(bundle.experiments, (), output)
    if sample is not None:
        from .sample import try_log

        try_log(bundle.experiments, sample)
    return 0


def _check_piped(files: tuple[Path, ...], sample: Path | None) -> None:
    """Refuse to read one pipe twice.

    Raises:
        Invalid: it is asked for.
    """
    if sample == Path("-") and sample in files:
        raise Invalid([Fault("--log", "the Experiment is piped in already", "name a file")])


def _remarks(
    experiment: "Experiment", bundle: "Bundle", world: str | None, where: Where
) -> Iterator[str]:
    from .suitability import check, check_sources

    yield from check(experiment, bundle, world)
    if where.is_cluster or world != "cluster":
        yield from check_sources(experiment, where)


def _show(experiments: Sequence["Experiment"], faults: Sequence[Fault], output: str) -> None:
    data = {
        "valid": not faults,
        "experiments": [e.metadata.name or e.metadata.generate_name for e in experiments],
        "faults": [asdict(fault) for fault in faults],
    }
    console.emit(data, output, lambda: _table(experiments))


def _table(experiments: Sequence["Experiment"]) -> None:
    from ..api.problem import ALGORITHM

    for experiment in experiments:
        name = experiment.metadata.name or f"{experiment.metadata.generate_name}…"
        spec = experiment.spec
        most = spec.max_trial_count
        limit = counted(most, "trial") if most else "no limit of trials"
        searched = counted(len(spec.parameters), "parameter")
        algorithm = (spec.algorithm and spec.algorithm.algorithm_name) or ALGORITHM
        click.echo(f"{name}: valid; {searched}, {limit}, {algorithm}")
