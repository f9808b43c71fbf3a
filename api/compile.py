"""From a validated document to the values that the core works with."""

from collections.abc import Mapping
from typing import Any

from .algorithm_spec import EarlyStoppingSpec, Setting
from .objective import Direction, Metric, Objective, Strategy
from .objective_spec import ObjectiveSpec
from .stopping import StoppingRule


def objective(spec: ObjectiveSpec) -> Objective:
    """Compile `spec.objective`. A metric without a strategy takes its best value."""
    direction = Direction(spec.type)
    best = Strategy.MIN if direction is Direction.MINIMIZE else Strategy.MAX
    written = {entry.name: Strategy(entry.value) for entry in spec.metric_strategies}

    def metric(name: str) -> Metric:
        return Metric(name, written.get(name, best))

    return Objective(
        metric=metric(spec.objective_metric_name),
        direction=direction,
        goal=spec.goal,
        additional=tuple(metric(name) for name in spec.additional_metric_names),
    )


def objective_of(document: Mapping[str, Any]) -> Objective:
    """Compile the objective of a whole Experiment, reading nothing else of it."""
    return objective(ObjectiveSpec.read(document["spec"]["objective"]))


def stopping_rule(spec: EarlyStoppingSpec) -> StoppingRule:
    return StoppingRule(spec.algorithm_name, settings(spec.algorithm_settings))


def stopping_rule_of(document: Mapping[str, Any]) -> StoppingRule | None:
    """Compile the early stopping of a whole Experiment, None where it has none."""
    written = document["spec"].get("earlyStopping")
    return None if written is None else stopping_rule(EarlyStoppingSpec.read(written))


def settings(written: tuple[Setting, ...]) -> dict[str, str]:
    return {setting.name: setting.value for setting in written}
