"""The early-stopping service of api.v1.beta1, which Katib's controller asks.

Its protocol knows limits and no rules: what a trial's objective may not be worse than
after so many reports. So only rules that come to such a limit are served. A limit is made
anew for each request, of what the succeeded trials in it reported to the DBManager that
it names; what such a trial reported is over, and is read once.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import grpc

from ...api.errors import Fault, Invalid, StoreUnavailable
from ...api.objective import Direction, Objective
from ...api.observation import Observation
from ...api.stopping import StoppingRule
from ...proto import api_pb2, api_pb2_grpc
from ...proto.convert_katib import objective_from_katib
from ...proto.convert_katib_stopping import limit_to_katib, rule_from_katib
from ..endpoint import Endpoint
from ..katib_words import in_katibs_words
from ..settings import setting_values
from . import registry
from .curves import means_after
from .percentile import MedianStop
from .rule import Case

LONGEST_SECONDS = 60.0
"""How long the DBManager may take for one trial."""

MOST_TRIALS = 50_000
"""Trials whose averages are kept, in a few hundred bytes each; those not asked for longest go."""


class KatibEarlyStopping(api_pb2_grpc.EarlyStoppingServicer):
    """api.v1.beta1.EarlyStopping.

    `mark_stopped` tells the cluster of a trial, by its name, that it was stopped.
    """

    def __init__(self, mark_stopped: Callable[[str], None]) -> None:
        self._mark_stopped = mark_stopped
        self._averages = _Averages()

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
            limits = _limits(request, self._averages)
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
    request: api_pb2.GetEarlyStoppingRulesRequest, averages: "_Averages"
) -> Sequence[api_pb2.EarlyStoppingRule]:
    """Return the limit of the experiment's rule, none while too few trials have succeeded."""
    spec = request.experiment.spec
    rule, objective = rule_from_katib(spec.early_stopping), objective_from_katib(spec.objective)
    found = _limiting(rule)
    succeeded = [
        (trial.name, trial.status.completion_time)
        for trial in request.trials
        if trial.status.condition == api_pb2.TrialStatus.SUCCEEDED
    ]
    settings = setting_values(found.settings, rule.settings)
    start_step = int(settings["start_step"])
    address = request.db_manager_address
    with Endpoint.of(address).service().channel() as channel:
        stub = api_pb2_grpc.DBManagerStub(channel)
        log = _Reported(address, stub, succeeded, objective, averages)
        bound = found(time.monotonic).bound(
            start_step, Case(request.experiment.name, objective, settings, log)
        )
    if bound is None:
        return ()
    is_worse = ">" if objective.direction is Direction.MINIMIZE else "<"
    return [limit_to_katib(objective.metric.name, is_worse, bound.value, start_step)]


class _Averages:
    """The running averages of trials that have succeeded, by where and for what they were read."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], Mapping[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, key: tuple[object, ...], read: Callable[[], Mapping[int, float]]
    ) -> Mapping[int, float]:
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        found = read()
        if found:  # what is not there yet may come
            with self._lock:
                self._known[key] = found
                if len(self._known) > MOST_TRIALS:
                    self._known.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class _Reported:
    """What succeeded trials reported to a DBManager: the `CurveLog` of a rule.

    Of each of `trials` there is its name, and when it ended: another may have its name later.
    """

    address: str
    stub: api_pb2_grpc.DBManagerStub
    trials: Sequence[tuple[str, str]]
    objective: Objective
    averages: _Averages

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        del experiment_uid, early_stopped
        return len(self.trials), range(position, len(self.trials))

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        del experiment_uid
        trial, metric = self.trials[index], self.objective.metric.name

        def read() -> Mapping[int, float]:
            return means_after(reports, _running(self._values(trial[0])))

        return self.averages.get((self.address, *trial, metric, *reports), read)

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
