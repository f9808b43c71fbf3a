"""The early-stopping service of api.v1.beta1, which Katib's controller asks.

Its protocol knows limits and no rules: what a trial's objective may not be worse than
after so many reports. So only rules that come to such a limit are served. A limit is made
of what the succeeded trials in a request reported to the DBManager that it names. What a
trial reported is read once, as long as the requests go on to name it.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

import grpc

from ...api.errors import Fault, Invalid, StoreUnavailable
from ...api.objective import Direction, Objective
from ...api.observation import Observation
from ...api.stopping import StoppingRule
from ...proto import api_pb2, api_pb2_grpc
from ...proto.convert_katib import objective_from_katib
from ...proto.convert_stopping import limit_to_katib, rule_from_katib
from ..endpoint import Endpoint
from ..katib_words import in_katibs_words
from ..settings import setting_values
from . import registry
from .curves import means_after
from .percentile import MedianStop
from .rule import Case

LONGEST_SECONDS = 60.0
"""How long the DBManager may take for one trial."""

MOST = 100
"""Experiments of which is remembered what their trials reported."""

_Key: TypeAlias = tuple[str, str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An experiment's rule, and the trials that it has read: each as it ended, with its name."""

    rule: MedianStop
    trials: dict[tuple[str, str, str], str] = field(default_factory=dict)


class _Memory:
    """The experiments that were asked for last. One is taken out while its limit is made."""

    def __init__(self) -> None:
        self._asked: dict[_Key, _Asked] = {}
        self._lock = threading.Lock()

    def take(self, key: _Key) -> _Asked | None:
        with self._lock:
            return self._asked.pop(key, None)

    def keep(self, key: _Key, asked: _Asked) -> None:
        with self._lock:
            self._asked[key] = asked
            while len(self._asked) > MOST:
                del self._asked[next(iter(self._asked))]


class KatibEarlyStopping(api_pb2_grpc.EarlyStoppingServicer):
    """api.v1.beta1.EarlyStopping.

    `mark_stopped` tells the cluster of a trial, by its name, that it was stopped.
    """

    def __init__(self, mark_stopped: Callable[[str], None]) -> None:
        self._mark_stopped = mark_stopped
        self._memory = _Memory()

    def ValidateEarlyStoppingSettings(  # noqa: N802  # the protocol's name
        self,
        request: api_pb2.ValidateEarlyStoppingSettingsRequest,
        _context: grpc.ServicerContext,
    ) -> api_pb2.ValidateEarlyStoppingSettingsReply:
        with in_katibs_words():
            _limiting(rule_from_katib(request.early_stopping))
        return api_pb2.ValidateEarlyStoppingSettingsReply()

    def GetEarlyStoppingRules(  # noqa: N802  # the protocol's name
        self, request: api_pb2.GetEarlyStoppingRulesRequest, _context: grpc.ServicerContext
    ) -> api_pb2.GetEarlyStoppingRulesReply:
        if not request.experiment.spec.HasField("early_stopping"):
            return api_pb2.GetEarlyStoppingRulesReply()
        with in_katibs_words():
            limits = _limits(request, self._memory)
        return api_pb2.GetEarlyStoppingRulesReply(early_stopping_rules=limits)

    def SetTrialStatus(  # noqa: N802  # the protocol's name
        self, request: api_pb2.SetTrialStatusRequest, _context: grpc.ServicerContext
    ) -> api_pb2.SetTrialStatusReply:
        self._mark_stopped(request.trial_name)
        return api_pb2.SetTrialStatusReply()


def _limiting(rule: StoppingRule) -> type[MedianStop]:
    """Return the rule, one that comes to a limit.

    Raises:
        Invalid: it does not, or its settings are wrong.
    """
    faults = registry.validate_rule(rule)
    if faults:
        raise Invalid(faults)
    found = registry.find(rule.name)
    if not issubclass(found, MedianStop):
        message = f"the rule {rule.name} comes to no limit, and api.v1.beta1 carries nothing else"
        raise Invalid([Fault(registry.NAME_PATH, message, kind="NotSupported")])
    return found


def _limits(
    request: api_pb2.GetEarlyStoppingRulesRequest, memory: _Memory
) -> Sequence[api_pb2.EarlyStoppingRule]:
    """Return the limit of the experiment's rule, none while too few trials have succeeded."""
    spec = request.experiment.spec
    rule, objective = rule_from_katib(spec.early_stopping), objective_from_katib(spec.objective)
    found = _limiting(rule)
    key = _key(request)
    asked = _asked(memory.take(key), found, request.trials)
    settings = setting_values(found.settings, rule.settings)
    start_step = int(settings["start_step"])
    with Endpoint.of(request.db_manager_address).service().channel() as channel:
        stub = api_pb2_grpc.DBManagerStub(channel)
        log = _Reported(stub, [*asked.trials.values()], objective)
        case = Case(request.experiment.name, objective, settings, log)
        bound = asked.rule.bound(start_step, case)
    memory.keep(key, asked)
    if bound is None:
        return ()
    is_worse = ">" if objective.direction is Direction.MINIMIZE else "<"
    return [limit_to_katib(objective.metric.name, is_worse, bound.value, start_step)]


def _key(request: api_pb2.GetEarlyStoppingRulesRequest) -> _Key:
    """Return what an experiment's limit depends on, its trials aside."""
    experiment = request.experiment
    rule, objective = (
        part.SerializeToString(deterministic=True)
        for part in (experiment.spec.early_stopping, experiment.spec.objective)
    )
    return request.db_manager_address, experiment.name, rule, objective


def _asked(known: _Asked | None, rule: type[MedianStop], trials: Iterable[api_pb2.Trial]) -> _Asked:
    """Return the experiment with all trials that succeeded, the new ones last.

    It is begun anew where one is no more that was read.
    """
    succeeded = {
        (trial.name, trial.status.start_time, trial.status.completion_time): trial.name
        for trial in trials
        if trial.status.condition == api_pb2.TrialStatus.SUCCEEDED
    }
    if known is None or not known.trials.keys() <= succeeded.keys():
        # Its clock lets the rule look for new trials whenever it is asked.
        known = _Asked(rule(count().__next__))
    known.trials.update(succeeded)
    return known


@dataclass(frozen=True, slots=True)
class _Reported:
    """What succeeded trials reported to a DBManager: the `CurveLog` of a rule."""

    stub: api_pb2_grpc.DBManagerStub
    trials: Sequence[str]
    objective: Objective

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        del experiment_uid, early_stopped
        return len(self.trials), range(position, len(self.trials))

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        del experiment_uid
        return means_after(reports, _running(self._values(self.trials[index])))

    def observation(self, uid: str, index: int) -> Observation:
        """Other metrics than the objective are not asked for."""
        del uid, index
        return {}

    def _values(self, trial: str) -> Sequence[float]:
        request = api_pb2.GetObservationLogRequest(
            trial_name=trial, metric_name=self.objective.metric.name
        )
        try:
            reply = self.stub.GetObservationLog(request, timeout=LONGEST_SECONDS)
        except grpc.RpcError as error:
            said = error.details() or error.code().name
            raise StoreUnavailable(f"what {trial} reported cannot be read: {said}") from error
        return list(_numbers(row.metric.value for row in reply.observation_log.metric_logs))


def _numbers(texts: Iterable[str]) -> Iterator[float]:
    """Yield what is a number: Katib writes `unavailable` where a metric was never seen."""
    for text in texts:
        with suppress(ValueError):
            yield float(text)


def _running(values: Sequence[float]) -> Sequence[float]:
    """Return the average after each value; NaN counts as a report, and enters none."""
    means: list[float] = []
    total, numbers = 0.0, 0
    for value in values:
        if not math.isnan(value):
            total, numbers = total + value, numbers + 1
        means.append(total / numbers if numbers else math.nan)
    return means
