"""Rules at endpoints, whichever protocol they speak: tunewright.v1 or Katib's api.v1.beta1."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import grpc

from ...api.errors import Fault
from ...api.objective import Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ...proto import api_pb2_grpc, tunewright_pb2, tunewright_pb2_grpc
from ...proto.convert_katib_stopping import settings_request
from ...proto.convert_stopping import rule_to_wire
from .katib import KatibStopping, Source
from .registry import SETTINGS_PATH
from .remote import RemoteStopping
from .stubs import Stubs, told


class EndpointRules:
    """Evaluates the rules of services.

    `clock` gives monotonic seconds; `executor` runs the calls; `timeout` is in
    seconds, for one call. A service that does not know tunewright.v1 is Katib's.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float],
        executor: Executor,
        *,
        timeout: float = 60.0,
    ) -> None:
        self._stubs = Stubs()
        self._remote = RemoteStopping(self._stubs, clock, executor, source.stop, timeout=timeout)
        self._katib = KatibStopping(source, clock, executor, self._stubs, timeout=timeout)

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        asked = (experiment_uid, rule, objective, reports, log)
        if rule.endpoint not in self._remote.unknown_to:
            stops = self._remote.evaluate(*asked)
            if rule.endpoint not in self._remote.unknown_to:
                return stops
        return self._katib.evaluate(*asked)

    def close(self) -> None:
        """Close the connections; nothing is evaluated any more."""
        self._stubs.close()


def validate_at_plugin(rule: StoppingRule, *, timeout: float = 60.0) -> Sequence[Fault]:
    """Ask the service what is wrong with the rule's settings.

    Raises:
        PluginUnavailable: it does not answer.
        PluginBroken: it fails.
    """
    stubs = Stubs()
    try:
        _validate(stubs, rule, timeout)
    except grpc.RpcError as error:
        match error.code():
            case grpc.StatusCode.UNIMPLEMENTED:
                return ()
            case grpc.StatusCode.INVALID_ARGUMENT:
                said = (error.details() or "it is refused").splitlines()
                return [Fault(SETTINGS_PATH, line) for line in said]
        raise told(rule, error) from error
    finally:
        stubs.close()
    return ()


def describe_rules(
    stubs: Stubs, rule: StoppingRule, *, timeout: float = 60.0
) -> Sequence[tunewright_pb2.Rule]:
    """Return what a service of tunewright.v1 offers beside this rule.

    Raises:
        PluginUnavailable: it does not answer.
        PluginBroken: it does not know the protocol.
    """
    stub = stubs.of(rule, tunewright_pb2_grpc.EarlyStoppingStub)
    try:
        return stub.DescribeRules(tunewright_pb2.DescribeRulesRequest(), timeout=timeout).rules
    except grpc.RpcError as error:
        raise told(rule, error) from error


def _validate(stubs: Stubs, rule: StoppingRule, timeout: float) -> None:
    v1 = stubs.of(rule, tunewright_pb2_grpc.EarlyStoppingStub)
    try:
        v1.ValidateRule(
            tunewright_pb2.ValidateRuleRequest(rule=rule_to_wire(rule)), timeout=timeout
        )
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        katib = stubs.of(rule, api_pb2_grpc.EarlyStoppingStub)
        katib.ValidateEarlyStoppingSettings(settings_request(rule), timeout=timeout)
