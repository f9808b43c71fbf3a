"""The early-stopping service of tunewright.v1: every rule, for who stores metrics elsewhere."""

from typing import Any

from ...api.errors import Invalid
from ...proto import convert_stopping, tunewright_pb2, tunewright_pb2_grpc
from ..settings_wire import setting_to_wire
from . import registry
from .held import Experiments


class EarlyStoppingService(tunewright_pb2_grpc.EarlyStoppingServicer):
    """tunewright.v1.EarlyStopping."""

    def __init__(self) -> None:
        self._experiments = Experiments()

    def Judge(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.JudgeRequest, _context: Any
    ) -> tunewright_pb2.JudgeReply:
        question = convert_stopping.question_from_wire(request)
        faults = registry.validate_rule(question.rule)
        if faults:
            raise Invalid(faults)
        return convert_stopping.stops_to_wire(self._experiments.judge(question))

    def ValidateRule(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.ValidateRuleRequest, _context: Any
    ) -> tunewright_pb2.ValidateRuleReply:
        faults = registry.validate_rule(convert_stopping.rule_from_wire(request.rule))
        if faults:
            raise Invalid(faults)
        return tunewright_pb2.ValidateRuleReply()

    def DescribeRules(  # noqa: N802  # the protocol's name
        self, _request: tunewright_pb2.DescribeRulesRequest, _context: Any
    ) -> tunewright_pb2.DescribeRulesReply:
        found = [(name, registry.find(name)) for name in registry.names()]
        return tunewright_pb2.DescribeRulesReply(
            rules=[
                tunewright_pb2.Rule(
                    name=name,
                    description=rule.description,
                    settings=list(map(setting_to_wire, rule.settings)),
                )
                for name, rule in found
            ]
        )
