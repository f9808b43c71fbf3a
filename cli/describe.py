"""`tunewright describe`: everything about one experiment or trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from ..controller.reading import Records
from ..db.records import AttemptRecord, EventRow, ExperimentRecord, Provenance, TrialRecord
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options

_EVENTS = 15
_BEST = 5


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
    from . import pareto

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
            data["document"] = dict(record.document)
            data |= source.whereabouts(record)
            if objective.further:
                data["pareto"] = asdict(pareto.front_of(records, record.uid, objective))
            console.emit(data, output, lambda: _experiment(records, record, data, events))
        else:
            data["attempts"] = [_attempt(a) for a in records.attempts(record.uid, found.index)]
            data["lineage"] = _lineage(records, found, record.key.namespace)
            command = source.command_line(record, found)
            console.emit(data, output, lambda: _trial(record, found, data, command, events))


_LONGEST = 100  # trials of a lineage


def _lineage(records: Records, trial: TrialRecord, namespace: str) -> list[str]:
    """Return the names of the trials that this one goes on from, the first of them first."""
    from ..api.errors import NotFound

    names, parent = [trial.name], trial.proposal.parent
    while parent is not None and len(names) < _LONGEST:
        names.append(parent)
        try:
            parent = records.trial(*records.find_trial(parent, namespace)).proposal.parent
        except NotFound:
            break
    return names[::-1] if len(names) > 1 else []


def _code(known: Sequence[Provenance], trial: TrialRecord | None) -> Provenance | None:
    """Return the newest code, or that which a trial's last attempt ran."""
    if trial is not None:
        began = (trial.attempt and trial.attempt.started_at) or 0.0
        known = [each for each in known if each.at <= began]
    return known[-1] if known else None


def _said(code: dict[str, Any] | None) -> str | None:
    if code is None:
        return None
    tree = ", files changed since" if code["changed"] else ""
    said = [f"commit {code['commit'][:12]}{tree}"] if code["commit"] else []
    said += [f"{code['script']} (sha256 {code['digest'][:12]})"] if code["digest"] else []
    return "; ".join(said) or None


def _attempt(attempt: AttemptRecord) -> dict[str, object]:
    shown = asdict(attempt)
    shown.pop("token")
    return shown


def _experiment(
    records: Records,
    record: ExperimentRecord,
    data: dict[str, Any],
    events: list[EventRow],
) -> None:
    spec, objective = record.document["spec"], data["objective"]
    goal = f", goal {objective['goal']:g}" if objective["goal"] is not None else ""
    states = ", ".join(
        f"{count} {state}" for state, count in record.totals.by_state.items() if count
    )
    console.fields(
        [
            ("Name", record.key.name),
            ("Namespace", record.key.namespace),
            ("Labels", ", ".join(f"{name}={value}" for name, value in data["labels"].items())),
            ("Note", data["note"]),
            ("State", f"{record.state}{' (paused)' if record.suspended else ''}"),
            ("Reason", record.reason),
            ("Message", record.message),
            (
                "Objective",
                f"{objective['type']} {objective['metric']} ({objective['strategy']}{goal})",
            ),
            ("And", ", ".join(map(_further, spec.get("objectives") or ()))),
            ("Pareto front", _front(data.get("pareto"))),
            ("Algorithm", f"{data['algorithm']}, seed {record.seed}"),
            ("Stopping", (spec.get("earlyStopping") or {}).get("algorithmName")),
            ("Budget", _budget(spec)),
            ("Trials", f"{record.totals.proposed} ({states or 'none yet'})"),
            ("Active time", console.duration(record.active_seconds)),
            ("Created", console.moment(record.created_at)),
            ("Started", console.moment(record.started_at)),
            ("Finished", console.moment(record.finished_at)),
            ("Directory", record.workdir),
            ("Code", _said(data["code"])),
            ("Store", data.get("store")),
            ("Cluster", data.get("cluster")),
            ("On disk", _size(data.get("occupies_bytes"))),
        ]
    )
    console.heading("Parameters")
    console.table(
        ["name", "type", "space"], [_parameter(item) for item in spec.get("parameters") or ()]
    )
    best = records.best_trials(record.uid, _BEST)
    if best:
        console.heading("Best")
        names = list(best[0].proposal.point)
        rows = [[t.index, t.value, *t.proposal.point.values()] for t in best]
        console.table(["trial", objective["metric"], *names], rows)
    _running(records, record)
    _conditions(record)
    _events(events)


def _front(pareto: dict[str, Any] | None) -> str | None:
    if pareto is None:
        return None
    volume = console.number(pareto["volume"])
    return f"{len(pareto['trade_offs'])} trials, hypervolume {volume} from the worst of each"


def _size(count: int | None) -> str | None:
    return None if count is None else console.size(count)


def _conditions(record: ExperimentRecord) -> None:
    """Show what a cluster's resource says of itself."""
    conditions = (record.document.get("status") or {}).get("conditions") or ()
    if not conditions:
        return
    console.heading("Conditions")
    names = ("type", "status", "reason", "lastTransitionTime", "message")
    console.table(
        ["type", "status", "reason", "since", "message"],
        [[each.get(name) for name in names] for each in conditions],
    )


def _budget(spec: dict[str, object]) -> str:
    limit = spec.get("maxTrialCount")
    failed = spec.get("maxFailedTrialCount")
    return (
        f"{limit or 'any number of'} trials, {spec.get('parallelTrialCount', 3)} at once"
        + (f", until {failed} failed" if failed is not None else "")
        + (f", for {spec['maxDuration']}" if spec.get("maxDuration") else "")
    )


def _parameter(item: dict[str, object]) -> list[object]:
    space = item.get("feasibleSpace") or {}
    assert isinstance(space, dict)
    if space.get("list"):
        text = "{" + ", ".join(str(entry) for entry in space["list"]) + "}"
    else:
        text = f"[{space.get('min')}, {space.get('max')}]"
        text += f" step {space['step']}" if space.get("step") not in {None, ""} else ""
        text += f" {space['distribution']}" if space.get("distribution") else ""
    return [item.get("name"), item.get("parameterType"), text]


def _further(objective: Mapping[str, Any]) -> str:
    goal = f" (goal {objective['goal']:g})" if objective.get("goal") is not None else ""
    return f"{objective['type']} {objective['metric']}{goal}"


def _running(records: Records, record: ExperimentRecord) -> None:
    from ..api.states import TrialState

    running = records.trials(record.uid, states=[TrialState.RUNNING, TrialState.CREATED])
    if running:
        console.heading("Unfinished")
        console.table(
            ["trial", "name", "state", "parameters", "message"],
            [
                [t.index, t.name, t.state, console.point(t.proposal.point.items()), t.message]
                for t in running
            ],
        )


def _spread(trial: TrialRecord) -> str | None:
    if trial.deviation is None:
        return None
    return f"{console.number(trial.value)} ± {console.number(trial.deviation)}"


def _last_attempt(attempt: AttemptRecord) -> Iterator[tuple[str, str | None]]:
    """Yield the fields of a trial's last attempt; what is None is not shown."""
    usage = attempt.usage
    yield "Attempt", str(attempt.attempt)
    yield "Exit code", None if attempt.exit_code is None else str(attempt.exit_code)
    yield "Took", f"{console.duration(usage.wall_seconds)}, CPU {usage.cpu_seconds:.2f}s"
    yield "Memory", console.size(usage.peak_memory_bytes) if usage.peak_memory_bytes else None
    yield "Devices", console.duration(usage.device_seconds) if usage.device_seconds else None


def _trial(
    record: ExperimentRecord,
    trial: TrialRecord,
    data: dict[str, Any],
    command: str,
    events: list[EventRow],
) -> None:
    console.fields(
        [
            ("Name", trial.name),
            ("Index", str(trial.index)),
            ("Experiment", str(record.key)),
            ("State", f"{trial.state}{' (dropped)' if trial.dropped else ''}"),
            ("Reason", trial.reason),
            ("Message", trial.message),
            ("Parameters", console.exact_point(trial.proposal.point.items())),
            ("Mean", _spread(trial)),
            ("Why", trial.proposal.reason),
            ("Parent", trial.proposal.parent),
            ("Generation", None if data["generation"] is None else str(data["generation"])),
            ("Lineage", " → ".join(data["lineage"])),
            ("Command", command),
            ("Code", _said(data["code"])),
            ("Created", console.moment(trial.created_at)),
            ("Started", console.moment(trial.started_at)),
            ("Finished", console.moment(trial.finished_at)),
            *(() if trial.attempt is None else _last_attempt(trial.attempt)),
        ]
    )
    metrics = data["metrics"]
    assert isinstance(metrics, dict)
    if metrics:
        console.heading("Metrics")
        console.table(
            ["metric", "value", "by", "step", "min", "max", "latest", "reports"],
            [
                [
                    name,
                    m["value"],
                    m["strategy"],
                    m["step"],
                    m["min"],
                    m["max"],
                    m["latest"],
                    m["count"],
                ]
                for name, m in metrics.items()
            ],
        )
    _events(events)


def _events(events: list[EventRow]) -> None:
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
