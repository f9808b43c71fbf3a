"""`tunewright trials`: list trials, and ask things of single ones."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..api.states import TrialState
from ..sdk.sources.where import Where
from . import complete, console
from .options import name_argument, output_option, where_options

_STATES = [str(state) for state in TrialState]


class _ListByDefault(click.Group):
    """`trials NAME` is `trials list NAME`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["list", *args]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        offered = super().shell_complete(ctx, incomplete)
        return [*offered, *complete.experiments(ctx.params, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] != "--help":
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def trials() -> None:
    """List trials; stop, retry, drop or add them.

    \b
    Examples:
      tunewright trials digits
      tunewright trials digits --state Failed -o json
      tunewright trials stop digits 7
      tunewright trials retry digits 3
      tunewright trials drop digits 3 4
      tunewright trials add digits lr=0.01 opt=adam
    """


@trials.command("list")
@name_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES),
    help="Only trials in this state.",
)
@click.option("--limit", type=click.IntRange(1), help="Only this many of the newest trials.")
@click.option(
    "--sort", type=click.Choice(["index", "value"]), default="index", help="The sort order."
)
@where_options
@output_option
def list_trials(
    name: str,
    states: tuple[str, ...],
    limit: int | None,
    sort: str,
    where: Where,
    output: str,
) -> None:
    """List the trials of an experiment.

    \b
    Examples:
      tunewright trials digits --sort value --limit 10
      tunewright trials digits --state Running
    """
    from ..api.excerpts import objective_of
    from ..sdk import shapes
    from ..sdk.names import find_experiment

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        objective = objective_of(record.document)
        by_value = sort == "value"
        found = list(
            source.records.trials(
                record.uid,
                states=[TrialState(state) for state in states] or None,
                limit=None if by_value else limit,
                newest_first=limit is not None and not by_value,
                observations=output != "table" or bool(objective.others),
            )
        )
    if by_value:
        found = [trial for trial in found if objective.better(trial.value, None)]
        found.sort(key=lambda trial: objective.loss(trial.value or 0.0))
        found = found[:limit]
    elif limit is not None:
        found.reverse()
    data = [shapes.trial(trial, objective) for trial in found]

    def show() -> None:
        extra = [metric.name for metric in objective.others]
        parameters = [item["name"] for item in record.document["spec"].get("parameters") or ()]
        lineage = [name for name in _LINEAGE if any(item[name] is not None for item in data)]
        console.table(
            [
                "trial",
                "name",
                "state",
                *lineage,
                objective.metric.name,
                *extra,
                *parameters,
                "took",
                "message",
            ],
            [_row(item, lineage, extra, parameters) for item in data],
        )

    console.emit(data, output, show)


_TELLING = {"Failed", "MetricsUnavailable", "Created", "ConstraintBroken"}
"""States and reasons whose message says more than they do."""


_LINEAGE = ("generation", "parent")
"""Columns of experiments in which trials go on from others."""


def _row(
    item: Mapping[str, Any], lineage: list[str], extra: list[str], parameters: list[str]
) -> list[object]:
    metrics, point = item["metrics"], item["parameters"]
    end = item["finished_at"] or time.time()
    return [
        item["index"],
        item["name"],
        f"{item['state']}{' (dropped)' if item['dropped'] else ''}",
        *(item[name] for name in lineage),
        item["value"],
        *((metrics.get(name) or {}).get("value") for name in extra),
        *(point.get(name) for name in parameters),
        None if item["started_at"] is None else console.duration(end - item["started_at"]),
        item["message"] if item["state"] in _TELLING or item["reason"] in _TELLING else None,
    ]


def _ask(
    name: str,
    words: tuple[str, ...],
    verb: str,
    said: str,
    where: Where,
) -> None:
    from ..sdk.names import find_experiment, find_trial

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        indexes = [find_trial(source.records, record, word).index for word in words]
        later = {source.ask(record, verb, {"index": index}) for index in indexes}
    listed = ", ".join(str(index) for index in indexes)
    click.echo(
        f"{said} {'trial' if len(indexes) == 1 else 'trials'} {listed} of {record.key.name}."
    )
    _note(later)


def _note(later: Iterable[str]) -> None:
    """Say when it will be carried out, where that is not now."""
    for said in filter(None, later):
        console.note(said)


@trials.command()
@name_argument
@click.argument("trial", nargs=-1, required=True)
@where_options
def stop(name: str, trial: tuple[str, ...], where: Where) -> None:
    """Stop running trials; they end as Killed and count.

    \b
    Examples:
      tunewright trials stop digits 7
    """
    _ask(name, trial, "trial-stop", "Stopping", where)


@trials.command()
@name_argument
@click.argument("trial", nargs=-1, required=True)
@where_options
def retry(name: str, trial: tuple[str, ...], where: Where) -> None:
    """Run trials again.

    A running trial is restarted as its next attempt; a finished one runs again as a new trial.

    \b
    Examples:
      tunewright trials retry digits 3
    """
    _ask(name, trial, "trial-retry", "Running again:", where)


@trials.command()
@name_argument
@click.argument("trial", nargs=-1, required=True)
@where_options
def drop(name: str, trial: tuple[str, ...], where: Where) -> None:
    """Remove trials from the best, the search and the plots.

    Their records stay.

    \b
    Examples:
      tunewright trials drop digits 3 4
    """
    _ask(name, trial, "trial-drop", "Dropped", where)


@trials.command()
@name_argument
@click.argument("assignment", nargs=-1, required=True)
@where_options
def add(name: str, assignment: tuple[str, ...], where: Where) -> None:
    """Add a trial with a point of your own.

    Give every parameter as NAME=VALUE.

    \b
    Examples:
      tunewright trials add digits lr=0.01 opt=adam
    """
    from ..api.compile import search_space
    from ..api.experiment import ExperimentSpec
    from ..sdk.names import find_experiment
    from ..sdk.points import parse_point

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        point = parse_point(
            search_space(ExperimentSpec.read(record.document["spec"])),
            assignment,
            path="trials add",
        )
        later = source.ask(record, "trial-add", {"point": dict(point)})
    click.echo(f"Added a trial to {record.key.name}: {console.exact_point(point.items())}")
    _note([later])
