"""Katib's early-stopping plug-ins: they name the limits, and trials are judged by them here.

A plug-in (`EarlyStopping` of api.v1.beta1) is asked when the first report
arrives, and again when further trials have succeeded. It is asked in another
thread: the store never waits for it, and judges by the limits that are known.

As in Katib a limit on the objective is compared with the best value so far, one on
another metric with its latest, and a trial is stopped when all limits are met. Unlike
in Katib, new limits hold for trials that run already, and for every report of the
objective once the limit's metric has `start_step` values.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

import grpc

from ...api.errors import PluginBroken, TunewrightError
from ...api.history import Entry, Proposed
from ...api.identity import trial_name
from ...api.objective import Objective
from ...api.problem import Problem
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ...api.words import counted
from ...proto import api_pb2, api_pb2_grpc
from ...proto.convert_katib_stopping import Limit, limit_from_katib, rules_request
from .curves import KEPT_SECONDS
from .stubs import Stubs, told

REFRESH_SECONDS = 1.0


class Source(Protocol):
    """What a plug-in is told of experiments."""

    def problem(self, uid: str) -> Problem: ...

    def history(self, uid: str, after: int) -> Sequence[Entry]:
        """Return entries behind a position, in order, as many as it likes."""
        ...

    def stop(self, uid: str, stop: Stop) -> None:
        """Stop a trial whose report was kept a moment ago."""
        ...

    def metrics_address(self) -> str:
        """Return where Katib's DBManager serves the metrics of trials."""
        ...


@dataclass(slots=True)
class _Known:
    """What is known of one experiment: its log, and the limits made from a position of it."""

    entries: list[Entry] = field(default_factory=list)
    position: int | None = None
    looked_at: float = -math.inf
    asking: bool = False
    limits: Sequence[Limit] = ()
    trouble: TunewrightError | None = None


class KatibStopping:
    """Evaluates the rules of plug-ins, for any number of experiments.

    `clock` gives monotonic seconds; `executor` runs the calls, one at a time;
    `timeout` is in seconds, for one call.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float],
        executor: Executor,
        stubs: Stubs,
        *,
        timeout: float = 60.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._executor = executor
        self._stubs = stubs
        self._timeout = timeout
        self._known: dict[str, _Known] = {}

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        if experiment_uid not in self._known:
            self._forget(self._clock() - KEPT_SECONDS)
        known = self._known.setdefault(experiment_uid, _Known())
        self._look(known, experiment_uid, rule, log)
        judged = _Judged(experiment_uid, rule.name, objective, known.limits, log)
        stops = (judged.stop(report) for report in reports)
        found = [stop for stop in stops if stop is not None][:1]
        if known.trouble is not None and not found:
            raise known.trouble
        for stop in found:
            self._executor.submit(self._tell, known, experiment_uid, rule, stop)
        return found

    def _forget(self, before: float) -> None:
        """Forget the experiments that were looked at before that."""
        for uid, known in [*self._known.items()]:
            if known.looked_at < before and not known.asking:
                self._known.pop(uid, None)

    def _look(self, known: _Known, uid: str, rule: StoppingRule, log: CurveLog) -> None:
        """Ask again where trials have succeeded since the last answer, once a second at most."""
        now = self._clock()
        if known.asking or now - known.looked_at < REFRESH_SECONDS:
            return
        known.looked_at = now
        end, succeeded = log.ended_since(uid, known.position or 0)
        if known.position is None or succeeded:
            known.asking = True
            self._executor.submit(self._ask, known, uid, rule, end)

    def _ask(self, known: _Known, uid: str, rule: StoppingRule, end: int) -> None:
        try:
            self._learn(known, uid)
            request = rules_request(
                self._source.problem(uid), rule, known.entries, self._source.metrics_address()
            )
            reply = self._stubs.of(rule, api_pb2_grpc.EarlyStoppingStub).GetEarlyStoppingRules(
                request, timeout=self._timeout
            )
            known.limits = [limit_from_katib(wire) for wire in reply.early_stopping_rules]
            known.position, known.trouble = end, None
        except grpc.RpcError as error:
            known.trouble = told(rule, error)
        except ValueError as error:
            known.trouble = PluginBroken(f"{rule.endpoint} answered {error}")
        finally:
            known.asking = False

    def _learn(self, known: _Known, uid: str) -> None:
        while True:
            after = known.entries[-1].position if known.entries else 0
            entries = self._source.history(uid, after)
            if not entries:
                return
            known.entries += entries

    def _tell(self, known: _Known, uid: str, rule: StoppingRule, stop: Stop) -> None:
        """Tell the plug-in of a stop, as Katib's collectors do; whether it cares is its own."""
        problem = self._source.problem(uid)
        self._learn(known, uid)
        name = next(
            (
                entry.proposal.name
                for entry in known.entries
                if isinstance(entry, Proposed) and entry.index == stop.index
            ),
            None,
        ) or trial_name(problem.experiment, uid, stop.index)
        request = api_pb2.SetTrialStatusRequest(trial_name=name)
        self._stubs.of(rule, api_pb2_grpc.EarlyStoppingStub).SetTrialStatus(
            request, timeout=self._timeout
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What reports of an experiment are judged by."""

    experiment_uid: str
    rule: str
    objective: Objective
    limits: Sequence[Limit]
    log: CurveLog

    def stop(self, report: Progress) -> Stop | None:
        """Return the stop of a trial that meets all limits; a metric without a value meets none."""
        values = self._values(report)
        met = [
            self._said(limit, value)
            for limit, (count, value) in zip(self.limits, values, strict=True)
            if count >= limit.start_step and count > 0 and limit.is_met(value, limit.value)
        ]
        if not self.limits or len(met) < len(self.limits):
            return None
        metric = self.objective.metric.name
        reason = (
            f"{self.rule}: after {counted(report.reports, 'report')} the best {metric} is "
            f"{report.best:.6g}, {' and '.join(met)}"
        )
        return Stop(report.index, report.attempt, reason)

    def _said(self, limit: Limit, value: float) -> str:
        beyond = f"{limit.comparison} {limit.value:.6g}"
        is_own = limit.metric == self.objective.metric.name
        return beyond if is_own else f"the latest {limit.metric} {value:.6g} is {beyond}"

    def _values(self, report: Progress) -> Sequence[tuple[int, float]]:
        """Return what each limit is compared with, and how many values its metric has."""
        own = self.objective.metric.name
        is_alone = all(limit.metric == own for limit in self.limits)
        known = {} if is_alone else self.log.observation(self.experiment_uid, report.index)
        others = {name: (summary.count, summary.latest) for name, summary in known.items()}
        values = {**others, own: (report.reports, report.best)}
        return [values.get(limit.metric, (0, math.nan)) for limit in self.limits]
