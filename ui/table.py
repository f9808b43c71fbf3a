"""All trials of an experiment in columns, brought up to date by what changed.

Reading them anew for every look would cost more the longer an experiment runs; here a look
costs what has ended since the last one, and what is unfinished.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..api.compile import problem
from ..api.errors import NotFound
from ..api.excerpts import objective_of
from ..api.experiment import Experiment
from ..api.history import Verdict
from ..api.lineage import generation_of
from ..api.objective import Objective
from ..api.space import Parameter, Point
from ..api.states import TrialState
from ..controller.plan import reasons
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord
from ..sdk import shapes
from ..sdk.plain import encoded


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as tables and plots need it."""

    index: int
    name: str
    state: str
    reason: str
    value: float | None
    good: bool
    created: float
    started: float | None
    finished: float | None
    parent: str | None
    generation: int | None
    attempt: int
    device_seconds: float | None
    point: Point
    metrics: Mapping[str, float]


_PLAIN = ("index", "name", "state", "reason", "value", "good", "created", "started", "finished")
_COLUMNS = (*_PLAIN, "parent", "generation", "device_seconds")


class Table:
    """Safe from several threads; `refresh` first, then read."""

    def __init__(self, records: Records, record: ExperimentRecord) -> None:
        compiled = problem(Experiment.read(record.document), uid=record.uid, seed=record.seed)
        self.objective = objective_of(record.document)
        self._parameters: Sequence[Parameter] = compiled.space.parameters
        self._records = records
        self._uid = record.uid
        self._rows: dict[int, Row] = {}
        self._unfinished: set[int] = set()
        self._deleted: set[int] = set()  # while they ran: no entry of the log tells of it
        self._read_at = 0  # the position of the log at which all trials were read
        self._changes: list[tuple[int, int]] = []  # positions behind it, and which trial changed
        self._metrics: dict[str, None] = {}
        self._lock = threading.Lock()
        self._whole = (-1.0, b"")  # all columns as JSON, and which change they were written after
        self._now = 0.0  # when the last change was read
        self.position = 0

    def refresh(self) -> None:
        """Read what changed since the last call."""
        with self._lock:
            if self.position == 0:
                self._read_all()
            else:
                self._read_changes()

    def rows(self) -> Sequence[Row]:
        with self._lock:
            return self._in_order()

    def best(self) -> Sequence[Row]:
        """Return the trials that count, the best first."""
        good = (row for row in self.rows() if row.good)
        return sorted(good, key=lambda row: self.objective.loss(row.value or 0.0))

    def json(self, after: int = -1) -> bytes:
        """Return the columns as JSON; all of them are written once a change."""
        if after >= self._read_at:
            return encoded(self.columns(after))
        written_at, whole = self._whole
        if written_at != self._now:
            written_at, whole = self._whole = self._now, encoded(self.columns(after))
        return whole

    def columns(self, after: int = -1) -> dict[str, Any]:
        """Return what changed behind a position of the log, and what no entry of it tells of."""
        with self._lock:
            rows = self._in_order() if after < self._read_at else self._changed(after)
            return {
                "position": self.position,
                "now": self._now,
                "objectives": _objectives(self.objective),
                "parameters": [_parameter(each) for each in self._parameters],
                "metrics": list(self._metrics),
                "trials": self._written(rows),
            }

    def _changed(self, after: int) -> Sequence[Row]:
        """Return what changed behind a position; costs that, not the trials that there are."""
        first = bisect_right(self._changes, after, key=lambda change: change[0])
        changed = (index for _, index in self._changes[first:])
        indexes = (self._unfinished | self._deleted).union(changed)
        return [self._rows[index] for index in sorted(indexes)]

    def _in_order(self) -> Sequence[Row]:
        return [self._rows[index] for index in sorted(self._rows)]

    def _written(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {
            **{name: [getattr(row, name) for row in rows] for name in _COLUMNS},
            "point": {
                each.name: [row.point.get(each.name) for row in rows] for each in self._parameters
            },
            "metric": {name: [row.metrics.get(name) for row in rows] for name in self._metrics},
        }

    def _read_all(self) -> None:
        # The log first: what happens between the two reads is read again with the next changes.
        position = self._records.view(self._uid).experiment.totals.position
        self._take(self._records.trials(self._uid, observations=True))
        self._read_at = self.position = position

    def _read_changes(self) -> None:
        entries = self._records.history(self._uid, after=self.position)
        changed = self._unfinished.union(entry.index for entry in entries)
        self._take(trial for index in sorted(changed) for trial in self._trial(index))
        self._changes += [
            (entry.position, entry.index) for entry in entries if entry.index in self._rows
        ]
        self.position = entries[-1].position if entries else self.position

    def _trial(self, index: int) -> Iterator[TrialRecord]:
        """Yield a trial, or as killed one whose resource was deleted since it was read."""
        try:
            trial = self._records.trial(self._uid, index)
            yield replace(trial, observation=self._records.observation(self._uid, index))
        except NotFound:
            self._forsake(index)

    def _forsake(self, index: int) -> None:
        """Show a trial as killed whose resource somebody deleted."""
        if index in self._unfinished:
            self._now = time.time()
            reason, state = reasons.TRIAL_DELETED.name, str(TrialState.KILLED)
            row = replace(self._rows[index], state=state, reason=reason, finished=self._now)
            self._rows[index] = row
            self._unfinished.discard(index)
            self._deleted.add(index)

    def _take(self, trials: Iterable[TrialRecord]) -> None:
        for trial in trials:
            self._now = time.time()
            row = self._rows[trial.index] = self._row(trial)
            if trial.state.is_finished:
                self._unfinished.discard(trial.index)
            else:
                self._unfinished.add(trial.index)
            self._metrics.update(dict.fromkeys(row.metrics))

    def _row(self, trial: TrialRecord) -> Row:
        usage = trial.attempt.usage.measured if trial.attempt else {}
        shown = shapes.metrics(trial.observation or {}, self.objective)
        return Row(
            index=trial.index,
            name=trial.name,
            state="Dropped" if trial.dropped else str(trial.state),
            reason=trial.reason,
            value=trial.value,
            good=trial.verdict is Verdict.OBSERVED and not trial.dropped,
            created=trial.created_at,
            started=trial.started_at,
            finished=trial.finished_at,
            parent=trial.proposal.parent,
            generation=generation_of(trial.proposal.labels),
            attempt=trial.attempt.attempt if trial.attempt else 0,
            device_seconds=usage.get("device_seconds"),
            point=trial.proposal.point,
            metrics={name: found["value"] for name, found in shown.items()},
        )


def _objectives(objective: Objective) -> list[dict[str, Any]]:
    first = {
        "metric": objective.metric.name,
        "direction": str(objective.direction),
        "goal": objective.goal,
    }
    return [
        first,
        *(
            {"metric": each.metric.name, "direction": str(each.direction), "goal": each.goal}
            for each in objective.further
        ),
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "kind": str(parameter.kind),
        "log": parameter.distribution.is_log,
        "low": float(parameter.low) if parameter.is_numeric else None,
        "high": float(parameter.high) if parameter.is_numeric else None,
        "choices": list(parameter.choices),
    }
