"""The Pareto front of an experiment with several objectives, for display."""

from dataclasses import dataclass
from typing import Any

from ..api.objective import Direction, Objective
from ..api.pareto import front, hypervolume, observed, worst
from ..controller.reading import Records
from . import console


@dataclass(frozen=True, slots=True)
class TradeOff:
    """A trial that no other dominates; `values` holds the value of each objective's metric."""

    index: int
    values: dict[str, float]
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Front:
    """The trials of a front, and its hypervolume from the worst finite value of each objective."""

    trade_offs: tuple[TradeOff, ...]
    volume: float


def front_of(records: Records, uid: str, objective: Objective) -> Front:
    """Return the Pareto front, the best by the first objective first."""
    found = observed(records.history(uid), objective)
    indexes, losses = list(found), list(found.values())
    members = [indexes[place] for place in front(losses)]
    return Front(
        tuple(
            TradeOff(
                index,
                _values(found[index], objective),
                dict(records.trial(uid, index).proposal.point),
            )
            for index in members
        ),
        hypervolume(losses, worst(losses)) if losses else 0.0,
    )


def show(found: Front) -> None:
    """Print the front as a table."""
    if not found.trade_offs:
        return
    first = found.trade_offs[0]
    console.heading("Pareto front")
    console.table(
        ["trial", *first.values, *first.parameters],
        [
            [each.index, *each.values.values(), *each.parameters.values()]
            for each in found.trade_offs
        ],
    )


def _values(losses: tuple[float, ...], objective: Objective) -> dict[str, float]:
    """Turn losses back into what was reported."""
    directions = {objective.metric.name: objective.direction} | {
        each.metric.name: each.direction for each in objective.further
    }
    return {
        name: loss if direction is Direction.MINIMIZE else -loss
        for (name, direction), loss in zip(directions.items(), losses, strict=True)
    }
