"""`tunewright best`: the best trial, as a table or as a command to paste."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from ..api.errors import NotFound
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options


@click.command()
@name_argument
@click.option("--top", type=click.IntRange(1), help="Show this many of the best trials.")
@click.option("--command", "as_command", is_flag=True, help="Print only the command line.")
@where_options
@output_option
def best(
    name: str,
    top: int | None,
    as_command: bool,
    where: Where,
    output: str,
) -> None:
    """Show the best trial, its parameters, and the command that repeats it.

    With several objectives, the best trial is that of the first one; the Pareto front follows.

    \b
    Examples:
      tunewright best digits
      tunewright best digits --top 5
      tunewright best digits -o json
      sh -c "$(tunewright best digits --command)"
    """
    from ..api.excerpts import objective_of
    from ..sdk import shapes
    from ..sdk.names import best_of, find_experiment
    from . import pareto

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        winner = best_of(record)
        ranked = source.records.best_trials(record.uid, top or 1)
        command = source.command_line(record, winner)
        objective = objective_of(record.document)
        front = None
        if objective.further and top is None and not as_command:
            front = pareto.front_of(source.records, record.uid, objective)
    if as_command:
        if not command:
            raise NotFound(f"{record.key.name} has no command: people run its trials themselves")
        click.echo(command)
        return
    data = [shapes.trial(trial, objective) for trial in ranked]
    if front is not None:
        data[0] |= {"front": [asdict(each) for each in front.trade_offs]}

    def show() -> None:
        if top is not None:
            names = list(ranked[0].proposal.point)
            console.table(
                ["trial", objective.metric.name, *names],
                [[t.index, t.value, *t.proposal.point.values()] for t in ranked],
            )
            return
        metrics, first = data[0]["metrics"], objective.metric.name
        console.fields(
            [
                ("Trial", f"{winner.index} ({winner.name})"),
                (first, f"{console.number(winner.value)} {_taken(metrics.get(first))}"),
                *((other.name, _metric(metrics.get(other.name))) for other in objective.others),
                ("Parameters", console.exact_point(winner.proposal.point.items())),
                ("Command", command),
            ]
        )
        if front is not None:
            pareto.show(front)

    console.emit(data if top is not None else data[0], output, show)


def _taken(entry: Mapping[str, Any] | None) -> str:
    """Say in brackets which of a metric's values was taken."""
    if entry is None:
        return ""
    step = f", step {entry['step']}" if entry["step"] is not None else ""
    count = f" of {entry['count']}" if entry["count"] is not None else ""
    return f"({entry['strategy']}{count}{step})"


def _metric(entry: Mapping[str, Any] | None) -> str | None:
    return None if entry is None else f"{console.number(entry['value'])} {_taken(entry)}"
