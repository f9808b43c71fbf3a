"""`tunewright run`: from a file or from options to the end of an experiment."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from typing import Any

import click

from ..api.errors import Fault, Invalid
from ..sdk.sources.where import Where
from . import complete, console
from .begin import How, begin
from .options import where_options
from .run_options import Machine, fsync_option, machine_options
from .wanted import wanted


class _Run(click.Command):
    """Explains an unknown option that was meant for the command to be tuned."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if "--" in typed or not any(word.startswith("--param") for word in typed):
                raise
            remedy = "Put the command and its options after --, as in -- python train.py --lr {lr}"
            raise click.UsageError(f"{error.format_message()} {remedy}", ctx) from error


@click.command(cls=_Run)
@click.argument(
    "words", nargs=-1, metavar="FILE... | [-- COMMAND...]", shell_complete=complete.files
)
@click.option(
    "--param", "params", multiple=True, metavar="NAME=SPACE", help="A parameter to search."
)
@click.option("--minimize", metavar="METRIC", help="The metric to minimize.")
@click.option("--maximize", metavar="METRIC", help="The metric to maximize.")
@click.option("--metric", "metrics", multiple=True, help="A further metric to record.")
@click.option("--goal", type=float, help="Stop when the objective reaches this value.")
@click.option("--trials", type=int, help="The number of trials.")
@click.option("--parallel", type=int, help="The number of trials at once.")
@click.option("--max-failed", type=int, help="The number of trials that may fail.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    metavar="NAME|NAME=ADDRESS",
    help="The algorithm, or the address of its plug-in.",
)
@click.option(
    "--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the algorithm."
)
@click.option(
    "--early-stopping",
    "rules",
    multiple=True,
    metavar="RULE|RULE=ADDRESS",
    help="Stop unpromising trials early: medianstop, percentile, asha, plateau, threshold, or the"
    " address of a plug-in with the rule.",
)
@click.option("--seed", type=int, help="The same seed gives the same points.")
@click.option("--name", help="The experiment's name.")
@click.option("--image", help="The image in which the trials of a COMMAND run, on a cluster.")
@click.option(
    "--print", "print_only", is_flag=True, help="Print the Experiment instead of running it."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the commands of the first trials instead of running them.",
)
@click.option("-d", "--detach", is_flag=True, help="Run in the background.")
@click.option(
    "--again", is_flag=True, help="Start a new experiment beside the one of the same name."
)
@click.option("--ui", "shows", is_flag=True, help="Serve the page while it runs.")
@machine_options
@fsync_option
@where_options
def run(
    words: tuple[str, ...],
    print_only: bool,
    dry_run: bool,
    detach: bool,
    again: bool,
    shows: bool,
    where: Where,
    **given: Any,
) -> int:
    """Tune: run the trials of a FILE, or of a COMMAND with options, to the end.

    In a terminal it shows a live display. Ctrl-C ends the running trials
    gracefully; `tunewright resume` continues. Running the same file again
    attaches to a running experiment, resumes an interrupted one, or shows the
    result of one that has ended.

    \b
    A parameter's SPACE:
      lr=log:1e-5..1e-1    n=int:1..10       opt=adam,sgd
      drop=0.0..0.5        drop=0.0..0.5/0.1    w=int:log:8..512

    \b
    Examples:
      tunewright run experiment.yaml
      tunewright run experiment.yaml secrets.yaml --detach
      envsubst < template.yaml | tunewright run -
      tunewright run --param lr=log:1e-5..1e-1 --param opt=adam,sgd \\
          --minimize loss --trials 50 -- python train.py --lr {lr} --opt {opt}
      tunewright run --param x=0.0..1.0 --minimize loss --print -- ./train {x} > experiment.yaml
      tunewright run experiment.yaml --cluster --context production
    """
    machine = Machine(**{each.name: given.pop(each.name) for each in fields(Machine)})
    wants = wanted(words, given, where, printed=print_only)
    if print_only:
        click.echo(console.as_yaml(wants.raw), nl=False)  # without what defaults say
        return 0
    if shows and (detach or dry_run):
        remedy = "leave it out; `tunewright ui` serves the page at any time"
        raise Invalid([Fault("--ui", "it is for a run that is followed here", remedy)])
    with _page(where) if shows else nullcontext():
        if where.is_cluster:
            from .apply import run_there

            machine.refuse_elsewhere()
            return run_there(
                wants.documents, wants.others, where, dry_run=dry_run, detach=detach, again=again
            )
        how = How(where.place, where.namespace, machine, again, detach, dry_run)
        return begin(wants.documents, wants.others, how, words)


@contextmanager
def _page(where: Where) -> Iterator[None]:
    from .page import beside

    with beside(where) as said:
        console.note(said)
        yield
