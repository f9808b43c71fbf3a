"""`tunewright wait`."""

import click

from ..api.states import ExperimentState
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, where_options


@click.command()
@name_argument
@click.option(
    "--for",
    "condition",
    default="finished",
    type=click.Choice(["finished", "succeeded", "failed"]),
    help="The state to wait for.",
)
@click.option(
    "--timeout", default="0", help="Give up after this time (90s, 1h30m).  [default: never]"
)
@where_options
def wait(name: str, condition: str, timeout: str, where: Where) -> int:
    """Wait until an experiment has ended.

    The exit code is 0 if it ended as requested, and 1 if it ended otherwise or the time is over. If
    no engine is running it, the command says so and keeps waiting, since it may be resumed.

    \b
    Examples:
      tunewright wait digits --timeout 2h && tunewright best digits
      tunewright wait digits --for succeeded
    """
    from ..api.durations import parse_duration
    from ..sdk.names import find_experiment
    from ..sdk.sources.waiting import undriven, wait_for_end

    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from error
    wanted = {
        "finished": {ExperimentState.SUCCEEDED, ExperimentState.FAILED},
        "succeeded": {ExperimentState.SUCCEEDED},
        "failed": {ExperimentState.FAILED},
    }[condition]
    with where.opened() as source:
        found = find_experiment(source.records, name, source.namespace)
        record = wait_for_end(source, found, seconds or None, console.note)
        if record.state.is_finished:
            console.note(f"{record.key.name} {record.state}: {record.message}")
            return 0 if record.state in wanted else 1
        after = f"after {timeout}{undriven(source, record)}"
        console.note(f"{record.key.name} is still {record.state} {after}")
        return 1
