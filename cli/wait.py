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
    help="What to wait for.",
)
@click.option(
    "--timeout", default="0", help="Give up after so long (90s, 1h30m).  [default: never]"
)
@where_options
def wait(name: str, condition: str, timeout: str, where: Where) -> int:
    """Wait until an experiment has ended.

    Exit code 0: it came as asked. 1: it ended otherwise, or the time is over. Where nothing
    drives it, that is said, and somebody else may resume it meanwhile.

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
