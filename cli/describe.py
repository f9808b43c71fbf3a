"""`tunewright describe`: everything about one experiment or trial."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import click

from ..db.records import AttemptRecord, EventRow, Provenance, TrialRecord
from ..sdk.sources.waiting import is_interrupted
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options

_EVENTS = 15


@click.command()
@name_argument
@click.argument("trial", required=False)
@where_options
@output_option
def describe(name: str, trial: str | None, where: Where, output: str) -> None:
    """Show all details of an experiment, or of a trial (index, name, `best` or `last`).

    \b
    Examples:
      tunewright describe digits
      tunewright describe digits 3
      tunewright describe digits best -o json
    """
    from ..api.excerpts import objective_of
    from ..sdk import shapes
    from ..sdk.names import resolve
    from . import describe_experiment, describe_trial, pareto

    with where.opened() as source:
        records = source.records
        record, found = resolve(records, name, trial, source.namespace)
        objective = objective_of(record.document)
        events = [
            event
            for event in records.events(record.uid, limit=1000)
            if found is None or event.index == found.index
        ]
        data = shapes.experiment(record) if found is None else shapes.trial(found, objective)
        data["events"] = [shapes.event(event) for event in events]
        code = _code(records.provenance(record.uid), found)
        data["code"] = None if code is None else asdict(code)
        if found is None:
            data["interrupted"] = is_interrupted(source, record)
            data["document"] = dict(record.document)
            data |= source.whereabouts(record)
            if objective.further:
                data["pareto"] = asdict(pareto.front_of(records, record.uid, objective))
            show = partial(describe_experiment.show, records, record, data, _code_line(code))
        else:
            data["attempts"] = [_attempt(a) for a in records.attempts(record.uid, found.index)]
            data["lineage"] = describe_trial.lineage(records, found, record.key.namespace)
            command = source.command_line(record, found)
            show = partial(describe_trial.show, record, found, data, command, _code_line(code))

        def table() -> None:
            show()
            _show_events(events)

        console.emit(data, output, table)


def _code(known: Sequence[Provenance], trial: TrialRecord | None) -> Provenance | None:
    """Return the code of the experiment's newest trials, or that of a trial's last attempt."""
    if trial is not None:
        began = (trial.attempt and trial.attempt.started_at) or 0.0
        known = [each for each in known if each.at <= began]
    return known[-1] if known else None


def _code_line(code: Provenance | None) -> str | None:
    if code is None:
        return None
    tree = ", files changed since" if code.changed else ""
    said = [f"commit {code.commit[:12]}{tree}"] if code.commit else []
    said += [f"{code.script} (sha256 {code.digest[:12]})"] if code.digest else []
    return "; ".join(said) or None


def _attempt(attempt: AttemptRecord) -> dict[str, object]:
    shown = asdict(attempt)
    shown.pop("token")
    return shown


def _show_events(events: Sequence[EventRow]) -> None:
    if not events:
        return
    console.heading("Events")
    console.table(
        ["at", "trial", "kind", "reason", "message"],
        [
            [console.moment(e.at), e.index, e.kind, e.reason, e.message.replace("\n", " ")]
            for e in events[-_EVENTS:]
        ],
    )
