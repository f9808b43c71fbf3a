"""What `tunewright describe` shows of an experiment."""

from collections.abc import Mapping
from typing import Any

from ..api.problem import PARALLEL_TRIALS
from ..api.words import counted
from ..controller.reading import Records
from ..db.records import ExperimentRecord
from . import console

_BEST = 5


def show(
    records: Records,
    record: ExperimentRecord,
    data: dict[str, Any],
    code: str | None,
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
            ("State", console.state(data)),
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
            ("Code", code),
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


def _front(pareto: dict[str, Any] | None) -> str | None:
    if pareto is None:
        return None
    volume = console.number(pareto["volume"])
    trials = counted(len(pareto["trade_offs"]), "trial")
    return f"{trials}, hypervolume {volume} from the worst of each"


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
    trials = counted(limit, "trial") if isinstance(limit, int) else "any number of trials"
    failed = spec.get("maxFailedTrialCount")
    return (
        f"{trials}, {spec.get('parallelTrialCount') or PARALLEL_TRIALS} at once"
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
