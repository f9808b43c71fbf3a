"""What is read off a whole Experiment without its models.

A store and a cluster keep documents that were validated: what stands in them has the type that
it should have. Whoever lists or looks on needs this little, and the models take a command
longer to load than all else that it does.
"""

import math
from collections.abc import Mapping
from typing import Any, overload

from .objective import Constraint, Direction, Further, Metric, Objective, Strategy
from .stopping import StoppingRule

_BEST = {Direction.MINIMIZE: Strategy.MIN, Direction.MAXIMIZE: Strategy.MAX}


def objective_of(document: Mapping[str, Any]) -> Objective:
    """Compile `spec.objective` with what stands beside it.

    A metric without a strategy takes its best value, one that is only bounded its latest.
    """
    spec = document["spec"]
    written = spec["objective"]
    further, bounds = spec.get("objectives") or (), spec.get("constraints") or ()
    name, additional = written["objectiveMetricName"], written.get("additionalMetricNames") or ()
    direction = Direction(written["type"])
    strategies = {
        **{each["metric"]: Strategy.LATEST for each in bounds},
        **{each["metric"]: _BEST[Direction(each["type"])] for each in further},
        **dict.fromkeys((name, *additional), _BEST[direction]),
        **{each["name"]: Strategy(each["value"]) for each in written.get("metricStrategies") or ()},
    }

    def metric(name: str) -> Metric:
        return Metric(name, strategies[name])

    return Objective(
        metric=metric(name),
        direction=direction,
        goal=_number(written.get("goal")),
        additional=tuple(map(metric, additional)),
        further=tuple(
            Further(metric(each["metric"]), Direction(each["type"]), _number(each.get("goal")))
            for each in further
        ),
        constraints=tuple(
            Constraint(
                metric(each["metric"]),
                _number(each.get("min"), -math.inf),
                _number(each.get("max"), math.inf),
            )
            for each in bounds
        ),
    )


def stopping_rule_of(document: Mapping[str, Any]) -> StoppingRule | None:
    """Compile `spec.earlyStopping`, None where there is none."""
    written = document["spec"].get("earlyStopping")
    if written is None:
        return None
    settings = written.get("algorithmSettings") or ()
    return StoppingRule(
        written.get("algorithmName", ""),
        {each["name"]: each.get("value", "") for each in settings},
        written.get("endpoint"),
    )


def min_delta_of(document: Mapping[str, Any]) -> float:
    """Return what the best must be bettered by to count as better."""
    written = (document["spec"].get("stopWhen") or {}).get("noImprovement") or {}
    return _number(written.get("minDelta"), 0.0)


@overload
def _number(written: float | None) -> float | None: ...


@overload
def _number(written: float | None, default: float) -> float: ...


def _number(written: float | None, default: float | None = None) -> float | None:
    """Return a number that may be written as a whole one."""
    return default if written is None else float(written)
