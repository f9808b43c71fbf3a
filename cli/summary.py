"""What is printed at the end of a run."""

import click

from ..api.excerpts import objective_of
from ..api.states import ExperimentState
from ..api.words import counted
from ..controller.plan.reasons import BY_NAME
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord
from ..sdk.names import why_no_best
from ..sdk.sources.source import Source
from . import console

_FAILURE_LINES = 10


def show(source: Source, record: ExperimentRecord, *, interrupted: bool = False) -> None:
    """Print how it ended, the best with its command, and what went wrong the first time."""
    objective = objective_of(record.document)
    totals = record.totals
    states = ", ".join(f"{count} {state}" for state, count in totals.by_state.items() if count)
    colour = {ExperimentState.SUCCEEDED: "green", ExperimentState.FAILED: "red"}.get(record.state)
    state = "interrupted" if interrupted and not record.state.is_finished else str(record.state)
    took = console.duration(record.active_seconds)
    begun = totals.proposed - totals.unbegun
    click.echo(
        f"{click.style(record.key.name, bold=True)} {click.style(state, fg=colour)} "
        f"after {took}: {counted(begun, 'trial')} ({states or 'none'})"
    )
    if record.state.is_finished and record.message:
        click.echo(f"{record.message} ({record.reason})")
    if not record.best and totals.observed:
        click.echo(f"best: none of the trials: {why_no_best(record)}")
    if record.best:
        best = record.best[0]
        click.echo(
            f"best: {objective.metric.name} = {console.number(best.value)}  (trial {best.index})"
        )
        for name, value in best.proposal.point.items():
            click.echo(f"  {console.exact_point([(name, value)])}")
        command = source.command_line(record, best)
        if command:
            click.echo(f"again: {command}")
    _first_failures(source.records, record)
    if interrupted and not record.state.is_finished:
        click.echo(f"`tunewright resume {record.key.name}` continues it.")


def _first_failures(records: Records, record: ExperimentRecord) -> None:
    """Show the first failed trial of each kind: reason, exit code, last lines."""
    from ..api.states import TrialState

    failed = [TrialState.FAILED, TrialState.METRICS_UNAVAILABLE]
    if not any(record.totals.of(state) for state in failed):
        return
    kinds: dict[tuple[str, int | None], TrialRecord] = {}
    for trial in records.trials(record.uid, states=failed, limit=200):
        code = trial.attempt.exit_code if trial.attempt else None
        kinds.setdefault((trial.reason, code), trial)
    for (reason, _), trial in list(kinds.items())[:3]:
        click.echo(f"first {reason}: trial {trial.index} ({trial.name})")
        for line in trial.message.splitlines()[: _FAILURE_LINES + 1]:
            click.echo(f"  {line}")
        known = BY_NAME.get(reason)
        if known is not None and known.remedy:
            click.echo(f"  ({known.remedy})")
