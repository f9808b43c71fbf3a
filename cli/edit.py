"""`tunewright edit`."""

import click

from ..api.errors import Fault, Invalid
from ..sdk.sources.where import Where
from .options import name_argument, where_options


def _goal(
    context: click.Context, option: click.Parameter, written: str | None
) -> float | str | None:
    """Read a number, or the word that takes the goal away."""
    from ..controller.edits import NO_GOAL

    if written is None or written == NO_GOAL:
        return written
    number: float = click.FLOAT(written, option, context)
    return number


@click.command()
@name_argument
@click.option("--trials", type=int, help="maxTrialCount.")
@click.option("--parallel", type=int, help="parallelTrialCount.")
@click.option("--max-failed", type=int, help="maxFailedTrialCount.")
@click.option(
    "--goal",
    metavar="FLOAT|none",
    callback=_goal,
    help="objective.goal; none removes it.",
)
@click.option("--max-duration", help="maxDuration (90s, 1h30m).")
@click.option("--retries", type=int, help="trialPolicy.retries.")
@click.option("--no-improvement", type=int, help="stopWhen.noImprovement.trials.")
@click.option("--note", help="A note of up to 8 KiB; an empty one removes it.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="A label; NAME- removes it. May be repeated.",
)
@click.option("--now", is_flag=True, help="With a smaller --parallel: stop the newest trials now.")
@where_options
def edit(
    name: str,
    trials: int | None,
    parallel: int | None,
    max_failed: int | None,
    goal: float | str | None,
    max_duration: str | None,
    retries: int | None,
    no_improvement: int | None,
    note: str | None,
    labels: tuple[str, ...],
    now: bool,
    where: Where,
) -> None:
    """Change the budget of an experiment, its labels and its note, whether it runs or has ended.

    \b
    Examples:
      tunewright edit digits --trials 100
      tunewright edit digits --parallel 1 --now
      tunewright edit digits --goal 0.99
      tunewright edit digits --goal none
      tunewright edit digits --label team=vision --note "without dropout"
    """
    from ..api.documents import parse
    from ..api.remarks import asked_labels
    from ..controller.edits import GOAL, LABELS, NOTE, asked, edited
    from ..sdk.flags import counts
    from ..sdk.names import find_experiment

    given = {
        **counts(trials, parallel, max_failed),
        "maxDuration": max_duration,
        GOAL: goal,
        "trialPolicy.retries": retries,
        "stopWhen.noImprovement.trials": no_improvement,
        LABELS: asked_labels(labels) or None,
        NOTE: note,
    }
    changes = asked(given)
    if not changes:
        raise Invalid([Fault("edit", "there is nothing to change", "e.g. --trials 100")])
    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        parse(edited(record.document, changes))
        source.edit(record, changes, now=now)
    shown = ", ".join(
        f"{key} {' '.join(labels) if key == LABELS else value}"
        for key, value in given.items()
        if key in changes
    )
    click.echo(f"{record.key.name}: {shown}.")
