"""Between Katib's EarlyStopping service (api.v1.beta1) and the language of `api/`."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..api.history import Entry
from ..api.problem import Problem
from ..api.stopping import StoppingRule
from . import api_pb2 as pb
from .convert_katib import experiment_to_katib, trials_to_katib

_COMPARISONS: Mapping[int, tuple[str, Callable[[float, float], bool]]] = {
    pb.EQUAL: ("equal to", operator.eq),
    pb.LESS: ("less than", operator.lt),
    pb.GREATER: ("greater than", operator.gt),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """What a trial is stopped for: a metric that compares so with a value, from a report on."""

    metric: str
    comparison: str
    is_met: Callable[[float, float], bool]
    value: float
    start_step: int


def limit_from_katib(wire: pb.EarlyStoppingRule) -> Limit:
    """Read a rule.

    Raises:
        ValueError: it is malformed; the message says how.
    """
    if wire.comparison not in _COMPARISONS:
        raise ValueError(f"a rule on {wire.name} without a comparison")
    comparison, is_met = _COMPARISONS[wire.comparison]
    return Limit(wire.name, comparison, is_met, _value(wire), wire.start_step)


def _value(wire: pb.EarlyStoppingRule) -> float:
    """Read what a rule compares with; nothing is less than NaN, greater, or equal to it."""
    with suppress(ValueError):
        value = float(wire.value)
        if not math.isnan(value):
            return value
    raise ValueError(f"a rule on {wire.name} whose value {wire.value!r} is not a number")


def rules_request(
    problem: Problem, rule: StoppingRule, entries: Sequence[Entry], metrics_address: str
) -> pb.GetEarlyStoppingRulesRequest:
    experiment = experiment_to_katib(problem, {})
    experiment.spec.early_stopping.CopyFrom(_spec(rule))
    return pb.GetEarlyStoppingRulesRequest(
        experiment=experiment,
        trials=trials_to_katib(problem, entries, {}),
        db_manager_address=metrics_address,
    )


def settings_request(rule: StoppingRule) -> pb.ValidateEarlyStoppingSettingsRequest:
    return pb.ValidateEarlyStoppingSettingsRequest(early_stopping=_spec(rule))


def rule_from_katib(wire: pb.EarlyStoppingSpec) -> StoppingRule:
    settings = {one.name: one.value for one in wire.algorithm_settings}
    return StoppingRule(wire.algorithm_name, settings)


def limit_to_katib(metric: str, sign: str, value: float, start_step: int) -> pb.EarlyStoppingRule:
    """Write a limit; `sign` is how a metric that ends a trial compares with the value."""
    comparison = {"<": pb.LESS, ">": pb.GREATER}[sign]
    return pb.EarlyStoppingRule(
        name=metric, value=repr(value), comparison=comparison, start_step=start_step
    )


def _spec(rule: StoppingRule) -> pb.EarlyStoppingSpec:
    return pb.EarlyStoppingSpec(
        algorithm_name=rule.name,
        algorithm_settings=[
            pb.EarlyStoppingSetting(name=name, value=value) for name, value in rule.settings.items()
        ],
    )
